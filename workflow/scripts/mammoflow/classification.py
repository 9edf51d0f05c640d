"""Patches to probabilities."""

from collections.abc import Iterable, Iterator

import keras
import numpy as np
import tensorflow as tf

from mammoflow import backbones
from mammoflow.bank import Batch, Image
from mammoflow.normalization import normalize
from mammoflow.patches import Windows, cut, positions


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
    window = model.input_shape[1]

    def normalized() -> Iterable[np.ndarray]:
        for batch in batches:
            yield normalize(batch.patches, batch.minimum, batch.maximum, normalization)[..., None]

    @tf.function(input_signature=[tf.TensorSpec((None, window, window, 1))], autograph=False)
    def forward(patches: tf.Tensor) -> tf.Tensor:
        return model(patches, training=False)[:, backbones.MASS]

    feed = tf.data.Dataset.from_generator(
        normalized, output_signature=tf.TensorSpec((None, window, window, 1))
    )
    found = [forward(patches).numpy() for patches in feed.rebatch(size).prefetch(2)]
    return np.concatenate([np.empty(0, np.float32), *found])


def sweep(image: Image, windows: Windows, size: int = 256) -> Iterator[Batch]:
    """All windows of an image whose central pixel lies in the breast, in raster order.

    Parameters
    ----------
    image : Image
        A stored image.
    windows : Windows
        How windows are laid.
    size : int, optional
        Most windows in a batch.

    References
    ----------
    Section 2.5, step 1.
    """
    begin = positions(image.breast, windows)
    grey = image.pixels[image.breast]
    for start in range(0, len(begin), size):
        cuts = cut(image.pixels, begin[start : start + size], windows.window)
        yield Batch(cuts, np.full(len(cuts), grey.min()), np.full(len(cuts), grey.max()))
