"""Augments training patches by random flips, rotations and scalings (section 2.3).

The view drawn for a patch depends only on the seed, the epoch and the position of the patch in the epoch.
It does not depend on workers, batch boundaries, the length of the epoch or interruptions of the training.
"""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from mammoflow.training import kernels


@dataclass(frozen=True)
class Augmentation:
    """Ranges from which views are drawn.

    Parameters
    ----------
    flip : bool
        Whether half of the patches, on average, are mirrored horizontally.
    rotation_degrees : float
        Rotations are drawn between minus and plus this angle.
    scale : tuple of float
        Magnifications are drawn between these values; 1 keeps the size, 1.25 enlarges.
    """

    flip: bool
    rotation_degrees: float
    scale: tuple[float, float]

    def __post_init__(self) -> None:
        low, high = self.scale
        if not 0 < low <= high:
            raise ValueError(
                f"augmentation.scale: expected two positive numbers in order, got {list(self.scale)}"
            )


@dataclass(frozen=True)
class Views:
    """One view per patch.

    Parameters
    ----------
    flip : (n,) ndarray of bool
        Whether the patch is mirrored left to right.
    angle : (n,) ndarray of float64
        Rotation in radians, counter-clockwise as seen by the viewer.
    scale : (n,) ndarray of float64
        Magnification.
    """

    flip: np.ndarray
    angle: np.ndarray
    scale: np.ndarray

    def __getitem__(self, rows: slice | np.ndarray) -> "Views":
        return Views(self.flip[rows], self.angle[rows], self.scale[rows])


def draw(augmentation: Augmentation, n: int, seed: int, epoch: int) -> Views:
    """Draw views for the first `n` patches of an epoch.

    Parameters
    ----------
    augmentation : Augmentation
        Ranges of the views.
    n : int
        Number of patches.
    seed, epoch : int
        Seed of the training, and number of the epoch.

    Returns
    -------
    Views
        The first views do not depend on `n`.
    """
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, epoch])))
    flip, turn, size = generator.random((n, 3)).T
    low, high = augmentation.scale
    return Views(
        flip < (0.5 if augmentation.flip else 0),
        np.radians(augmentation.rotation_degrees) * (2 * turn - 1),
        low + (high - low) * size,
    )


def plain(n: int) -> Views:
    """Views that leave `n` patches unchanged."""
    return Views(np.zeros(n, bool), np.zeros(n), np.ones(n))


def transforms(views: Views, window: int) -> np.ndarray:
    """Affine transforms from output to input pixels, about the centre of the patch.

    Parameters
    ----------
    views : Views
        ``n`` views.
    window : int
        Side of the patches in pixels.

    Returns
    -------
    (n, 2, 3) ndarray of float32
        The rows ``(a0, a1, a2), (b0, b1, b2)`` of each view: the output pixel (x, y) is taken from the input
        at ``(a0 x + a1 y + a2, b0 x + b1 y + b2)``.
    """
    middle = (window - 1) / 2
    cos, sin = np.cos(views.angle) / views.scale, np.sin(views.angle) / views.scale
    mirror = np.where(views.flip, -1.0, 1.0)
    turn = np.stack([np.stack([mirror * cos, -mirror * sin], -1), np.stack([sin, cos], -1)], -2)
    offset = middle - middle * turn.sum(axis=-1, keepdims=True)
    return np.concatenate([turn, offset], axis=-1).astype(np.float32)


def show(patches: tf.Tensor, transforms: tf.Tensor) -> tf.Tensor:
    """Apply affine transforms to patches: bilinear, with mirroring where a view extends beyond the patch.

    Stateless TensorFlow operations, for GPUs; `kernels.show` gives the same result on processors.

    Parameters
    ----------
    patches : (n, w, w) tensor of float32
        Patches before normalisation, at least 2 pixels wide.
    transforms : (n, 2, 3) tensor of float32
        The result of `transforms`.

    Returns
    -------
    (n, w, w) tensor of float32
    """
    window = patches.shape[1]
    count = tf.range(window, dtype=tf.float32)
    x, right = _neighbours(transforms[:, 0], count, window)
    y, down = _neighbours(transforms[:, 1], count, window)
    grey = tf.reshape(patches, [-1, window * window])
    first = tf.reshape(y * window + x, [-1, window * window])

    def pixels(offset: int) -> tf.Tensor:
        values = tf.gather(grey, first + offset, batch_dims=1)
        return tf.reshape(values, [-1, window, window])

    def between(left: tf.Tensor, other: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
        return left + share * (other - left)

    upper = between(pixels(0), pixels(1), right)
    lower = between(pixels(window), pixels(window + 1), right)
    return between(upper, lower, down)


def _neighbours(row: tf.Tensor, count: tf.Tensor, window: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Along one axis: the pixel before each sampled position, and the distance of the position from it."""
    a, b, c = (row[:, k, None, None] for k in range(3))
    place = a * count + (b * count[:, None] + c)
    # Mirror positions at the edges of the patch, which lie half a pixel outside the first and last pixel.
    way = place + 0.5
    way -= 2 * window * tf.floor(way / (2 * window))
    place = tf.clip_by_value(window - tf.abs(way - window) - 0.5, 0, window - 1)
    before = tf.minimum(tf.cast(place, tf.int32), window - 2)
    return before, place - tf.cast(before, tf.float32)


def apply(patches: np.ndarray, views: Views) -> np.ndarray:
    """Apply views to patches, on processors.

    Parameters
    ----------
    patches : (n, w, w) ndarray of uint16
        Patches before normalisation.
    views : Views
        ``n`` views.

    Returns
    -------
    (n, w, w) ndarray of float32
    """
    return kernels.show(patches, transforms(views, patches.shape[1]))
