"""Finds hard negatives: windows without a mass that a trained network takes for one.

The network is trained a second time with them, so that it learns from its mistakes. They are the peaks of its
maps, and not all windows with a high probability, because neighbouring windows show nearly the same.

References
----------
.. [1] Sung and Poggio, "Example-based learning for view-based human face detection", IEEE Transactions on
   Pattern Analysis and Machine Intelligence 20(1), 39-51 (1998).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import ndimage

from mammoflow.base.boxes import BOX
from mammoflow.detection.mpm import Grid
from mammoflow.patches.cutting import Negatives


@dataclass(frozen=True)
class Settings:
    """Which windows are hard negatives, as in the config section ``detection: hard_negatives``.

    Parameters
    ----------
    per_image : int
        Largest number of windows from one image.
    probability : float
        Least probability of a window.
    """

    per_image: int
    probability: float


def of_image(image_id: str, grid: Grid, lesions: pd.DataFrame, window: int, settings: Settings) -> Negatives:
    """Find the hard negatives of an image.

    A window is one if it is a local maximum of the grid with at least the least probability, its central
    pixel lies in the breast, and it shows no pixel of the box of a lesion. Of windows whose centres are less
    than half a window apart in both directions, only the most probable one is taken.

    Parameters
    ----------
    image_id : str
        Identifier of the image.
    grid : Grid
        Its classified windows.
    lesions : pandas.DataFrame
        Lesions of this image, or of more: columns image_id, y0, x0, y1, x1 in original pixels.
    window : int
        Side of a window in stored pixels.
    settings : Settings
        See there.

    Returns
    -------
    Negatives
        By descending probability.
    """
    values = grid.probabilities
    rows, columns = np.nonzero((values >= settings.probability) & _peaks(values))
    centres = np.stack([grid.centres_y[rows], grid.centres_x[columns]], axis=1).astype(np.int32)
    begin, scores = centres - window // 2, values[rows, columns].astype(np.float32)
    boxes = grid.geometry.to_stored(lesions.loc[lesions["image_id"] == image_id, BOX].to_numpy())
    allowed = grid.breast[tuple(centres.T)] & ~_shows(begin, window, boxes)
    begin, scores = begin[allowed], scores[allowed]
    kept = _apart(begin, scores, window / 2)[: settings.per_image]
    return Negatives(image_id, begin[kept], scores[kept])


def _peaks(values: np.ndarray) -> np.ndarray:
    """Which windows of a grid have no neighbour with a higher probability, (gy, gx) bool."""
    return values == ndimage.maximum_filter(values, 3, mode="nearest") if values.size else values > 0


def _shows(begin: np.ndarray, window: int, boxes: np.ndarray) -> np.ndarray:
    """Whether each of n windows shares a pixel with any of k boxes, (n,) bool."""
    begin = begin[:, None]
    return ((begin < boxes[:, 2:]) & (begin + window > boxes[:, :2])).all(axis=-1).any(axis=1)


def _apart(begin: np.ndarray, scores: np.ndarray, distance: float) -> np.ndarray:
    """Rows that stay if the highest score wins within a distance in both directions, by descending score."""
    rest, kept = np.argsort(-scores, kind="stable"), []
    while len(rest):
        best = rest[0]
        kept.append(best)
        rest = rest[(np.abs(begin[rest] - begin[best]) >= distance).any(axis=1)]
    return np.array(kept, int)
