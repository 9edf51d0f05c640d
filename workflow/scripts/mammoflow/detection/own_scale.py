"""Shows a network each candidate at a size that fits its window: the answers are further features.

A map is made of windows of one size. Here a window that is a number of times as large as the candidate is cut
around it, and resized to what the network takes.
"""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence

import keras
import numpy as np
import pandas as pd
from scipy.special import logit
from skimage import transform

from mammoflow.base.boxes import BOX
from mammoflow.detection import classification
from mammoflow.detection.classification import Located
from mammoflow.patches import local_contrast, sliding_windows
from mammoflow.patches.bank import Batch

# Probabilities are taken from this to 1 less this, so that their log odds stay moderate.
_LEAST = 1e-4

# Windows that are cut at a time.
_BLOCK = 64


def described(
    table: pd.DataFrame,
    store: Mapping[str, Located],
    models: Sequence[keras.Model],
    normalization: str,
    sizes: Sequence[float],
    precision: str = "float32",
) -> pd.DataFrame:
    """Add what networks answer to candidates at their own scale.

    Parameters
    ----------
    table : pandas.DataFrame
        The result of `candidates.of_maps`, whose rows are sorted by image.
    store : mapping of str to Located
        Stored images.
    models : sequence of keras.Model
        Networks made by `backbones.build`, in float32, for the same windows and normalisation.
    normalization : {'gcn', 'scale', 'local'}
        Normalisation that they were trained with.
    sizes : sequence of float
        Sides of the windows in sides of the candidate, which is the root of its area.
    precision : str, optional
        See `inference.compiled`.

    Returns
    -------
    pandas.DataFrame
        `table` with a column ``network_at_{size}`` for each size: log odds of the mean probability.
    """
    window = models[0].input_shape[1]
    columns = {}
    for size in sizes:
        windows = _windows(table, store, window, normalization, size)
        answers = classification.probabilities(models, windows, normalization, precision)
        columns[f"network_at_{size:g}"] = logit(answers.astype(np.float64).clip(_LEAST, 1 - _LEAST))
    return table.assign(**columns)


def _windows(
    table: pd.DataFrame, store: Mapping[str, Located], window: int, normalization: str, size: float
) -> Iterator[Batch]:
    for image_id, rows in table.groupby("image_id", sort=False):
        image = store[image_id]
        reduced = _reductions(image.pixels)
        boxes = image.geometry.to_stored(rows[BOX].to_numpy())
        grey = image.pixels[image.breast]
        for start in range(0, len(boxes), _BLOCK):
            block = boxes[start : start + _BLOCK]
            cuts = np.stack([_resized(reduced, box, window, normalization, size) for box in block])
            yield Batch(cuts, np.full(len(cuts), grey.min()), np.full(len(cuts), grey.max()))


def _reductions(pixels: np.ndarray) -> Callable[[int], np.ndarray]:
    """The image reduced by a power of two, by the power; each is computed once."""

    @functools.cache
    def reduced(power: int) -> np.ndarray:
        if power == 0:
            return pixels.astype(np.float32)
        before = reduced(power - 1)
        odd = [(0, length % 2) for length in before.shape]
        return transform.downscale_local_mean(np.pad(before, odd, mode="edge"), (2, 2))

    return reduced


def _resized(
    reduced: Callable[[int], np.ndarray], box: np.ndarray, window: int, normalization: str, size: float
) -> np.ndarray:
    """The window around a box, (window, window) uint16, mirrored where it extends beyond the image."""
    side = size * np.sqrt(np.prod(box[2:] - box[:2]))
    if normalization == "local":  # which needs what surrounds the window
        surrounded = _cut(reduced, box, 2 * window, 2 * side)
        begin = window // 2
        return local_contrast.normalized(surrounded, window)[begin : begin + window, begin : begin + window]
    return _cut(reduced, box, window, side)


def _cut(reduced: Callable[[int], np.ndarray], box: np.ndarray, window: int, side: float) -> np.ndarray:
    # Never from an image that is more than twice as fine as needed: a candidate may be as wide as the breast.
    power = max(int(np.log2(max(side / window, 1))), 0)
    box, side = box / 2**power, max(round(side / 2**power), 2)
    begin = np.rint((box[:2] + box[2:] - side) / 2).astype(int)
    (cut,) = sliding_windows.cut(reduced(power), begin[None], side)
    resized = transform.resize(cut, (window, window), order=1, anti_aliasing=side > window)
    return np.rint(resized).astype(np.uint16)
