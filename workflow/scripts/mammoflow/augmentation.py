"""Random views of training patches: flip, rotation, scale (section 2.3).

What is drawn for a patch depends on the seed, the epoch and the patch's place in that epoch, and on
nothing else: not on workers, batch boundaries or whether training was interrupted.
"""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf


@dataclass(frozen=True)
class Augmentation:
    """Which views are drawn.

    Parameters
    ----------
    flip : bool
        Whether every second patch, on average, is mirrored horizontally.
    rotation_degrees : float
        Rotations are drawn between minus and plus this.
    scale : tuple of float
        Magnifications are drawn between these; 1 leaves the size, 1.25 enlarges.
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
        Mirrored left to right.
    angle : (n,) ndarray of float64
        Rotation in radians, counter-clockwise as one looks at the image.
    scale : (n,) ndarray of float64
        Magnification.
    """

    flip: np.ndarray
    angle: np.ndarray
    scale: np.ndarray

    def __getitem__(self, rows: slice) -> "Views":
        return Views(self.flip[rows], self.angle[rows], self.scale[rows])


def draw(augmentation: Augmentation, n: int, seed: int, epoch: int) -> Views:
    """Views of the `n` patches of an epoch.

    Parameters
    ----------
    augmentation : Augmentation
        Between what to draw.
    n : int
        Patches in the epoch.
    seed, epoch : int
        What the draws depend on.

    Returns
    -------
    Views
    """
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, epoch])))
    flip = generator.random(n) < (0.5 if augmentation.flip else 0)
    angle = np.radians(augmentation.rotation_degrees) * generator.uniform(-1, 1, n)
    return Views(flip, angle, generator.uniform(*augmentation.scale, n))


def transforms(views: Views, window: int) -> np.ndarray:
    """Projective transforms from output to input pixels, about the middle of the patch.

    Parameters
    ----------
    views : Views
        ``n`` views.
    window : int
        Side of the patches in pixels.

    Returns
    -------
    (n, 8) ndarray of float32
        Rows ``(a0, a1, a2, b0, b1, b2, 0, 0)``: the output pixel (x, y) shows the input at
        ``(a0 x + a1 y + a2, b0 x + b1 y + b2)``, as TensorFlow's ``ImageProjectiveTransformV3``
        takes them.
    """
    middle = (window - 1) / 2
    cos, sin = np.cos(views.angle) / views.scale, np.sin(views.angle) / views.scale
    mirror = np.where(views.flip, -1.0, 1.0)
    rows = np.zeros((len(cos), 8), np.float64)
    rows[:, 0], rows[:, 1] = mirror * cos, -mirror * sin
    rows[:, 3], rows[:, 4] = sin, cos
    rows[:, 2] = middle - middle * (rows[:, 0] + rows[:, 1])
    rows[:, 5] = middle - middle * (rows[:, 3] + rows[:, 4])
    return rows.astype(np.float32)


def apply(patches: np.ndarray, views: Views) -> np.ndarray:
    """Show patches as drawn: bilinear, mirrored at the edge where a view reaches beyond the patch.

    Parameters
    ----------
    patches : (n, w, w) ndarray of uint16 or float32
        Patches before normalisation.
    views : Views
        ``n`` views.

    Returns
    -------
    (n, w, w) ndarray of float32
    """
    window = patches.shape[1]
    with tf.device("/CPU:0"):
        shown = tf.raw_ops.ImageProjectiveTransformV3(
            images=patches.astype(np.float32)[..., None],
            transforms=transforms(views, window),
            output_shape=[window, window],
            fill_value=0.0,
            interpolation="BILINEAR",
            fill_mode="REFLECT",
        )
    return shown.numpy()[..., 0]
