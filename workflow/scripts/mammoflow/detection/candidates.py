"""Chooses candidates in probability maps: boxes that may be masses, described by features.

A component that is small at a high threshold and large at a low one may fit a mass at any of them. So the
component around each peak is taken at several fractions of the peak's height, and each of these boxes is a
candidate. `candidate_scores` gives them scores; then `suppress` keeps the best box at each place.

Lengths are in sides of the window that the network sees, so that features hardly depend on the working
resolution.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import ndimage
from skimage.measure import block_reduce

from mammoflow.base import pool, storage
from mammoflow.base.boxes import BOX
from mammoflow.detection import components
from mammoflow.detection.mpm import Grid, probability_map
from mammoflow.patches.cutting import Image

# About as many pixels per window are enough to describe a candidate.
_PIXELS = 64

# Steps between 0 and 1 at which components are looked for.
_LEVELS = 1000

# Least side of a candidate, in windows.
_LEAST = 0.1

FEATURES = (
    "peak",
    "fraction",
    "log_area",
    "log_elongation",
    "map_inside",
    "map_around",
    "map_contrast",
    "map_core",
    "peak_below_highest",
    "grey_core",
    "grey_around",
    "grey_contrast",
    "grey_contrast_to_noise",
    "grey_noise",
    "depth",
    "from_chest_wall",
    "from_top",
    "radial_gradient",
    "radial_direction",
)


@dataclass(frozen=True)
class Settings:
    """Settings of the candidates, as in the config section ``detection: candidates``.

    Parameters
    ----------
    smoothing : float
        Standard deviation of the Gaussian that smooths a map, in steps between its windows.
    fractions : sequence of float
        Fractions of a peak's height at which the component around it is a candidate.
    overlap : float
        Of two boxes in one image whose intersection over union is larger, the one with the lower score is
        dropped.
    containment : float
        The same for the intersection over the smaller of the two areas.
    """

    smoothing: float
    fractions: Sequence[float]
    overlap: float
    containment: float


class _Nodes(NamedTuple):
    """The n components of a map that become candidates; boxes are in pixels of the map, (n, 4) int."""

    boxes: np.ndarray
    peak: np.ndarray
    fraction: np.ndarray


class _View(NamedTuple):
    """An image at the resolution at which candidates are described.

    Attributes
    ----------
    map, grey : (M, N) float64 arrays
        Smoothed probability map; grey values with median 0 and standard deviation 1 within the breast, and
        0 outside.
    breast : (M, N) bool array
    window : float
        Side of a window in pixels of the view.
    reduction : int
        Stored pixels per pixel of the view.
    """

    map: np.ndarray
    grey: np.ndarray
    breast: np.ndarray
    window: float
    reduction: int


def of_maps(
    maps: Mapping[str, Grid],
    store: Mapping[str, Image],
    window: int,
    settings: Settings,
    threads: int,
) -> pd.DataFrame:
    """Find the candidates of all mapped images; see `of_image`.

    Parameters
    ----------
    maps : mapping of str to Grid
        By image; see `mpm.open_maps`.
    store : mapping of str to Image
        Stored images.
    window, settings
        As in `of_image`.
    threads : int
        Number of images processed at the same time.
    """

    def of_one(image_id: str) -> pd.DataFrame:
        return of_image(image_id, store[image_id], maps[image_id], window, settings)

    return _joined(pool.ordered(of_one, maps, threads))


def _joined(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    some = [table for table in tables if len(table)]
    return pd.concat(some, ignore_index=True) if some else pd.DataFrame(columns=["image_id", *BOX, *FEATURES])


def write(tables: Mapping[str, pd.DataFrame], path: str | Path) -> None:
    """Write the described candidates of each part of maps to one Parquet file.

    Parameters
    ----------
    tables : mapping of str to pandas.DataFrame
        By part, the result of `of_maps` or of `own_scale.described`.
    path : str or Path
        Where to.
    """
    table = _joined(table.assign(part=part) for part, table in tables.items())
    with storage.whole(path) as temporary:
        table.to_parquet(temporary, index=False)


def read(paths: Sequence[str | Path], part: str) -> pd.DataFrame:
    """The candidates of one part in files made by `write`, sorted by image."""
    tables = map(pd.read_parquet, paths)
    table = _joined(table[table["part"] == part].drop(columns="part") for table in tables if len(table))
    return table.sort_values("image_id", kind="stable", ignore_index=True)


def of_image(image_id: str, image: Image, grid: Grid, window: int, settings: Settings) -> pd.DataFrame:
    """Find the candidates of an image, before any is scored.

    Parameters
    ----------
    image_id : str
        Identifier of the image.
    image : Image
        The stored image.
    grid : Grid
        Its classified windows.
    window : int
        Side of a window in stored pixels.
    settings : Settings
        See there.

    Returns
    -------
    pandas.DataFrame
        Columns image_id, y0, x0, y1, x1 (pixels of the original image, half-open) and `FEATURES`; each box
        once; no row if the map is zero.
    """
    view = _view(image, grid, window, settings.smoothing)
    nodes = _nodes(view, settings.fractions)
    boxes = grid.geometry.within_crop(grid.geometry.to_original(nodes.boxes * view.reduction))
    named = dict(zip(BOX, boxes.T, strict=True))
    return pd.DataFrame({"image_id": image_id, **named, **_features(view, nodes)})


def suppress(boxes: np.ndarray, scores: np.ndarray, settings: Settings) -> np.ndarray:
    """Keep the box with the highest score at each place of an image.

    Parameters
    ----------
    boxes : (n, 4) array
        ``(y0, x0, y1, x1)``, half-open.
    scores : (n,) array
        Their scores; of equal ones, the first box is kept.
    settings : Settings
        Provides ``overlap`` and ``containment``.

    Returns
    -------
    (k,) int array
        Rows that are kept, by descending score.

    Examples
    --------
    >>> nested = np.array([[0, 0, 9, 9], [2, 2, 4, 4], [20, 0, 29, 9]])
    >>> suppress(nested, np.array([0.5, 0.7, 0.1]), Settings(0.6, [0.5], 0.2, 0.6))
    array([1, 2])
    """
    boxes, rest = np.asarray(boxes), np.argsort(-np.asarray(scores), kind="stable")
    kept = []
    while len(rest):
        best, rest = rest[0], rest[1:]
        kept.append(best)
        shared, areas = _intersections(boxes[best], boxes[rest]), _areas(boxes[rest])
        own = _areas(boxes[best])
        rivals = shared > settings.overlap * (own + areas - shared)
        rivals |= shared > settings.containment * np.minimum(own, areas)
        rest = rest[~rivals]
    return np.array(kept, int)


def _intersections(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Area that a box shares with each of n boxes, (n,)."""
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    return sides.clip(0).prod(axis=1)


def _areas(boxes: np.ndarray) -> np.ndarray:
    return (boxes[..., 2:] - boxes[..., :2]).prod(axis=-1)


# ---- where candidates are ----------------------------------------------------------------------------


def smoothed(grid: Grid, smoothing: float) -> np.ndarray:
    """Probabilities of a grid after a Gaussian of `smoothing` steps, (gy, gx) float32.

    Windows that were not classified count as zero, which lowers the map at the edge of the breast. On
    validation parts this did better than leaving them out: many false positives lie there.
    """
    if not smoothing or not grid.probabilities.size:
        return grid.probabilities
    return ndimage.gaussian_filter(grid.probabilities, smoothing, mode="constant").clip(0, 1)


def _view(image: Image, grid: Grid, window: int, smoothing: float) -> _View:
    reduction = max(1, round(window / _PIXELS))
    breast = block_reduce(image.breast, (reduction, reduction), np.any)
    # Repeated at its edges where its size is no multiple; `block_reduce` itself would add zeros.
    margins = [(0, -size % reduction) for size in image.pixels.shape]
    whole = np.pad(image.pixels.astype(np.float64), margins, mode="edge")
    grey = block_reduce(whole, (reduction, reduction), np.mean)
    values = grey[breast] if breast.any() else grey
    grey = (grey - np.median(values)) / max(values.std(), 1e-6) * breast
    middle = (reduction - 1) / 2  # of the stored pixels under a pixel of the view
    centres = [(centre - middle) / reduction for centre in (grid.centres_y, grid.centres_x)]
    values = probability_map(smoothed(grid, smoothing), *centres, breast)
    return _View(values.astype(np.float64), grey, breast, window / reduction, reduction)


def _nodes(view: _View, fractions: Sequence[float]) -> _Nodes:
    """Components of a view's map at fractions of the height of their peak, each box once."""
    found = components.find(components.quantise(view.map.astype(np.float32), _LEVELS))
    parts = []
    for fraction in sorted(fractions):
        level = np.floor(fraction * found.score).astype(int)
        there = (found.first <= level) & (level <= found.last)
        there &= (found.boxes[:, 2:] - found.boxes[:, :2]).min(axis=1) >= _LEAST * view.window
        parts.append(_Nodes(found.boxes[there], found.score[there] / _LEVELS, np.full(there.sum(), fraction)))
    nodes = _Nodes(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    _, once = np.unique(nodes.boxes, axis=0, return_index=True)
    return _Nodes(*(column[once] for column in nodes))


# ---- what describes them -----------------------------------------------------------------------------


def _features(view: _View, nodes: _Nodes) -> dict[str, np.ndarray]:
    """Each of `FEATURES`, (n,) float."""
    boxes = nodes.boxes.astype(np.float64)
    height, width = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    y, x = ((boxes[:, axis] + boxes[:, axis + 2]) / 2 for axis in (0, 1))
    map_ = _Sums(view.map, view.breast)
    inside, around = map_.mean(boxes), map_.ring(boxes, 1, 2)
    grey = _Sums(view.grey, view.breast)
    core, ring = grey.mean(_grown(boxes, 0.6)), grey.ring(boxes, 1.2, 1.8)
    noise = grey.deviation(_grown(boxes, 1.8))
    depth = ndimage.distance_transform_edt(np.pad(view.breast, 1))[1:-1, 1:-1]
    columns = {
        "peak": nodes.peak,
        "fraction": nodes.fraction,
        "log_area": np.log(height * width / view.window**2),
        "log_elongation": np.log(height / width),
        "map_inside": inside,
        "map_around": around,
        "map_contrast": inside - around,
        "map_core": map_.mean(_grown(boxes, 0.5)),
        "peak_below_highest": nodes.peak - view.map.max(initial=0),
        "grey_core": core,
        "grey_around": ring,
        "grey_contrast": core - ring,
        "grey_contrast_to_noise": (core - ring) / noise,
        "grey_noise": noise,
        "depth": depth[y.astype(int), x.astype(int)] / view.window,
        "from_chest_wall": x / view.window,
        "from_top": y / len(view.breast),
        **_radial(view.grey, _grown(boxes, 1.3)),
    }
    return {name: columns[name] for name in FEATURES}


class _Sums:
    """Means of an image in many boxes, over pixels of the breast, by summed-area tables."""

    def __init__(self, values: np.ndarray, breast: np.ndarray) -> None:
        self._count, self._sum, self._squares = (
            np.pad(each.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
            for each in (breast.astype(np.float64), values * breast, values**2 * breast)
        )

    def _in(self, table: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        limits = np.array(table.shape * 2) - 1
        y0, x0, y1, x1 = np.clip(boxes, 0, limits).astype(int).T
        return table[y1, x1] - table[y0, x1] - table[y1, x0] + table[y0, x0]

    def mean(self, boxes: np.ndarray) -> np.ndarray:
        """Mean in each box, (n,); 0 in a box without breast."""
        return self._in(self._sum, boxes) / np.maximum(self._in(self._count, boxes), 1)

    def deviation(self, boxes: np.ndarray) -> np.ndarray:
        """Standard deviation in each box, (n,), at least 0.001."""
        squares = self._in(self._squares, boxes) / np.maximum(self._in(self._count, boxes), 1)
        return np.sqrt(np.maximum(squares - self.mean(boxes) ** 2, 1e-6))

    def ring(self, boxes: np.ndarray, inner: float, outer: float) -> np.ndarray:
        """Mean between the boxes grown by one factor and by another, (n,)."""
        large, small = _grown(boxes, outer), _grown(boxes, inner)
        total = self._in(self._sum, large) - self._in(self._sum, small)
        count = self._in(self._count, large) - self._in(self._count, small)
        return total / np.maximum(count, 1)


def _grown(boxes: np.ndarray, factor: float) -> np.ndarray:
    """Boxes with the same centres and sides multiplied by a factor."""
    middle, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) * factor / 2
    return np.hstack([middle - half, middle + half])


def _radial(grey: np.ndarray, boxes: np.ndarray) -> dict[str, np.ndarray]:
    """How far the gradients in each box point to its centre, from -1 to 1.

    ``radial_gradient`` weights each pixel by the strength of its gradient (the radial gradient index);
    ``radial_direction`` gives all pixels the same weight.

    References
    ----------
    Kupinski and Giger, "Automated seeded lesion segmentation on digital mammograms", IEEE TMI 17(4), 1998.
    """
    down, right = (
        np.gradient(ndimage.gaussian_filter(grey, 1.5)) if min(grey.shape) > 1 else 2 * [np.zeros_like(grey)]
    )
    strength = np.hypot(down, right) + 1e-6
    values = np.zeros((len(boxes), 2))
    for row, (y0, x0, y1, x1) in enumerate(boxes):
        part = np.s_[max(int(y0), 0) : int(y1) + 1, max(int(x0), 0) : int(x1) + 1]
        rows = np.arange(part[0].start, min(part[0].stop, grey.shape[0]))[:, None] - (y0 + y1) / 2
        columns = np.arange(part[1].start, min(part[1].stop, grey.shape[1])) - (x0 + x1) / 2
        inward = -(down[part] * rows + right[part] * columns) / (np.hypot(rows, columns) + 1e-6)
        values[row] = inward.sum() / strength[part].sum(), (inward / strength[part]).mean()
    return {"radial_gradient": values[:, 0], "radial_direction": values[:, 1]}
