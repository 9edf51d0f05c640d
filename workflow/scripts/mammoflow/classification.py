"""Patches to probabilities."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Protocol

import keras
import numpy as np
import tensorflow as tf

from mammoflow import backbones, patches
from mammoflow.bank import Batch, Image
from mammoflow.breast import Geometry
from mammoflow.mpm import Grid
from mammoflow.normalization import normalize
from mammoflow.patches import Windows


class Located(Image, Protocol):
    """What a map needs of a stored image: ``images.StoredImage`` has it."""

    geometry: Geometry


def probabilities(
    model: keras.Model, batches: Iterable[Batch], normalization: str, size: int = 256
) -> np.ndarray:
    """Probability that the centre of a patch lies in a mass.

    Parameters
    ----------
    model : keras.Model
        A network that `backbones.build` made.
    batches : iterable of Batch
        Patches in batches of any length. They are normalised while the network computes, and
        regrouped: a processor prepares itself anew for every length.
    normalization : {'gcn', 'scale'}
        What the network was trained with.
    size : int, optional
        Patches that the network takes at once.

    Returns
    -------
    (n,) ndarray of float32
        In the order of the patches.
    """
    return np.concatenate([np.empty(0, np.float32), *_forward(model, batches, normalization, size)])


def _forward(
    model: keras.Model, batches: Iterable[Batch], normalization: str, size: int
) -> Iterator[np.ndarray]:
    """Probabilities of `size` patches at a time; batches are taken a little ahead, in another thread."""
    window = model.input_shape[1]

    def normalized() -> Iterable[np.ndarray]:
        for batch in batches:
            yield normalize(batch.patches, batch.minimum, batch.maximum, normalization)[..., None]

    @tf.function(input_signature=[tf.TensorSpec((None, window, window, 1))], autograph=False)
    def forward(x: tf.Tensor) -> tf.Tensor:
        return model(x, training=False)[:, backbones.MASS]

    feed = tf.data.Dataset.from_generator(
        normalized, output_signature=tf.TensorSpec((None, window, window, 1))
    )
    for patches_at_once in feed.rebatch(size).prefetch(2):
        yield forward(patches_at_once).numpy()


def sweep(image: Image, windows: Windows, size: int = 256) -> Iterator[Batch]:
    """All windows of an image that its map is made of, in raster order.

    Parameters
    ----------
    image : Image
        A stored image.
    windows : Windows
        How windows are laid.
    size : int, optional
        Most windows in a batch.

    Notes
    -----
    The paper classifies all windows of the image. Those left out change the map nowhere in the breast;
    see `patches.supporting`.

    References
    ----------
    Section 2.5, step 1.
    """
    begin = patches.begins(patches.supporting(image.breast, windows), image.breast.shape, windows)
    grey = image.pixels[image.breast]
    for start in range(0, len(begin), size):
        cuts = patches.cut(image.pixels, begin[start : start + size], windows.window)
        yield Batch(cuts, np.full(len(cuts), grey.min()), np.full(len(cuts), grey.max()))


def grids(
    model: keras.Model,
    store: Mapping[str, Located],
    image_ids: Iterable[str],
    windows: Windows,
    normalization: str,
    size: int = 256,
) -> Iterator[tuple[str, Grid]]:
    """Window probabilities of images, one image after the other.

    Parameters
    ----------
    model : keras.Model
        A network that `backbones.build` made.
    store : mapping of str to Located
        Stored images. Each is read once, and a few are in memory at a time.
    image_ids : iterable of str
        Images of the store, in the order in which they are given back.
    windows : Windows
        How windows are laid.
    normalization, size
        As in `probabilities`. One run of the network may hold windows of several images.

    Yields
    ------
    image_id : str
    grid : Grid

    References
    ----------
    Section 2.5, step 1.
    """
    read = deque()  # images whose windows the network has seen in part or not at all

    def sweeps() -> Iterator[Batch]:
        for image_id in image_ids:
            image = store[image_id]
            read.append((image_id, image.breast, image.geometry, patches.supporting(image.breast, windows)))
            yield from sweep(image, windows, size)

    rest = np.empty(0, np.float32)
    # The empty end is for images without a window that come last.
    for found in chain(_forward(model, sweeps(), normalization, size), [rest]):
        rest = np.concatenate([rest, found])
        while read and (count := read[0][3].sum()) <= len(rest):
            image_id, breast, geometry, classified = read.popleft()
            values = np.zeros(classified.shape, np.float32)
            values[classified], rest = rest[:count], rest[count:]
            top, left = patches.grid(breast.shape, windows)
            yield image_id, Grid(values, top + windows.half, left + windows.half, breast, geometry)
