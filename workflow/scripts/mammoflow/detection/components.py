"""Finds the boxes of a probability map at all thresholds, in one pass.

The map is quantised once. Then each row is divided into hills (segments that rise and then fall), each
hill is assigned to the peak that it leads up to, and peaks are merged from the highest saddle downwards.
The result is a component tree of hundreds of peaks instead of ten million pixels, which NumPy computes
fast enough. (``skimage.morphology.max_tree`` needs minutes for a map of this size.)

A map with many peaks is processed in bands of levels to limit the memory.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mammoflow.base import pool
from mammoflow.base.boxes import BOX
from mammoflow.base.contracts.detections import DETECTIONS
from mammoflow.breasts.geometry import Geometry
from mammoflow.detection.mpm import Grid

_NONE = np.iinfo(np.int32).max

# Maximum number of boxes (peaks times levels) in memory, 16 bytes each.
_CELLS = 2**23


@dataclass(frozen=True)
class Components:
    """The n distinct connected components of a quantised map over all thresholds.

    Attributes
    ----------
    boxes : (n, 4) int32 array
        Bounding boxes ``(y0, x0, y1, x1)``, half-open.
    first, last : (n,) int32 arrays
        Lowest and highest threshold level (inclusive) at which the box exists.
    score : (n,) int32 array
        Highest level in the component of the box: ``last < score``.
    """

    boxes: np.ndarray
    first: np.ndarray
    last: np.ndarray
    score: np.ndarray


def quantise(probabilities: np.ndarray, levels: int) -> np.ndarray:
    """Number of thresholds ``0, 1/levels, 2/levels, …`` that each pixel exceeds.

    The result is ``ceil(p * levels)``: because it is rounded up, ``p > k / levels`` and ``level > k`` are
    equivalent for every pixel and every k. There is no rounding error, since a 24-bit probability times a
    16-bit number of levels is exact in double precision.

    Parameters
    ----------
    probabilities : (M, N) float32 array
        Values in [0, 1].
    levels : int
        Number of steps between 0 and 1, at most 65535.

    Returns
    -------
    (M, N) uint16 array

    Raises
    ------
    ValueError
        When ``levels`` or a probability is out of range.

    Examples
    --------
    >>> quantise(np.array([[0.0, 0.25, 0.26, 1.0]], np.float32), levels=4)
    array([[0, 1, 2, 4]], dtype=uint16)
    """
    if not 1 <= levels <= np.iinfo(np.uint16).max:
        raise ValueError(f"levels: expected 1 to 65535, got {levels}")
    if probabilities.size and not (probabilities.min() >= 0 and probabilities.max() <= 1):
        raise ValueError(
            f"probabilities: expected values in [0, 1], got {probabilities.min()} to {probabilities.max()}"
        )
    scaled = np.multiply(probabilities, levels, dtype=np.float64)
    return np.ceil(scaled, out=scaled).astype(np.uint16)


def find(quantised: np.ndarray) -> Components:
    """Find the boxes of the 8-connected components of ``quantised > k`` for every level k.

    Parameters
    ----------
    quantised : (M, N) uint16 array
        A map of levels, 0 in the background; see `quantise`.

    Returns
    -------
    Components
        One entry per box, score and unbroken range of thresholds, sorted by box.

    References
    ----------
    Agarwal et al. 2019, section 2.5, steps 3 and 4.
    Najman and Couprie, "Building the component tree in quasi-linear time", IEEE TIP 15(11), 2006.

    Examples
    --------
    >>> components = find(np.array([[1, 3, 1, 0, 2]], np.uint16))
    >>> np.column_stack([components.boxes, components.first, components.last, components.score])
    array([[0, 0, 1, 3, 0, 0, 3],
           [0, 1, 1, 2, 1, 2, 3],
           [0, 4, 1, 5, 0, 1, 2]], dtype=int32)
    """
    # Pad the map with zeros; a single column separates the end of a row from the start of the next.
    flat = np.pad(np.asarray(quantised, np.uint16), ((1, 1), (1, 0))).ravel()
    flat = np.append(flat, np.uint16(0))
    return _joined(list(_bands(flat, quantised.shape[1] + 1, 0, int(flat.max()))))


def _bands(flat: np.ndarray, width: int, low: int, high: int) -> Iterator[Components]:
    """Components at thresholds from `low` to below `high`, in narrower bands if there are many peaks."""
    if low == high:
        return
    hills = _Hills.of(np.clip(flat, low, high) - np.uint16(low), width, flat)
    if len(hills.score) * (high - low + 1) <= _CELLS or high - low == 1:
        yield hills.components(low)
        return
    del hills
    middle = (low + high) // 2
    yield from _bands(flat, width, low, middle)
    yield from _bands(flat, width, middle, high)


def _joined(bands: list[Components]) -> Components:
    """Join the components of all bands, sorted by box; a box that continues in another band or under
    another peak becomes one entry.
    """
    if not bands:
        none = np.zeros(0, np.int32)
        return Components(np.zeros((0, 4), np.int32), none, none, none)
    boxes, first, last, score = (
        np.concatenate([getattr(band, name) for band in bands])
        for name in ("boxes", "first", "last", "score")
    )
    # At one level no two components have the same box: both would reach all its sides, so they would touch.
    order = np.lexsort((first, score, *boxes.T[::-1]))
    boxes, first, last, score = boxes[order], first[order], last[order], score[order]
    other = np.any(boxes[1:] != boxes[:-1], axis=1) | (score[1:] != score[:-1])
    begins = np.append(True, other | (first[1:] != last[:-1] + 1))
    return Components(boxes[begins], first[begins], last[np.append(begins[1:], True)], score[begins])


@dataclass(frozen=True)
class _Hills:
    """A band of a map, divided into n hills that lead up to m peaks.

    Attributes
    ----------
    flat : (p,) uint16 array
        Levels of the band's pixels, row by row with zeros in between; a row has `width` pixels.
    starts : (n,) int array
        First pixels of the hills.
    hill : (p,) int32 array
        Hill of each pixel; zeros after a hill belong to it as well.
    height : (n,) int32 array
        Highest level of each hill.
    one, other, saddle : (e,) int arrays
        Neighbouring hills, and the highest level at which they touch.
    peak : (n,) int array
        Peak of each hill, and `score`, (m,) int32, the highest level of each peak in the whole map.
    """

    flat: np.ndarray
    width: int
    starts: np.ndarray
    hill: np.ndarray
    height: np.ndarray
    one: np.ndarray
    other: np.ndarray
    saddle: np.ndarray
    peak: np.ndarray
    score: np.ndarray

    @classmethod
    def of(cls, flat: np.ndarray, width: int, whole: np.ndarray) -> "_Hills":
        """Hills of a band with at least one pixel above 0; `whole` is the complete map."""
        steps, rises = _steps(flat)
        starts = steps[rises & ~np.append(False, rises[:-1])]
        hill = np.zeros(len(flat), np.int32)
        hill[starts[1:]] = 1
        np.cumsum(hill, out=hill)
        height = np.maximum.reduceat(flat, starts).astype(np.int32)
        one, other, saddle = _edges(flat, width, starts, hill)
        peaks, peak = np.unique(_climb(height, one, other, saddle), return_inverse=True)
        score = np.zeros(len(peaks), np.int32)
        np.maximum.at(score, peak, np.maximum.reduceat(whole, starts).astype(np.int32))
        return cls(flat, width, starts, hill, height, one, other, saddle, peak, score)

    def components(self, low: int) -> Components:
        """Components of a band that begins at threshold `low`."""
        boxes = _extents(self)
        height = np.zeros(len(self.score), np.int32)
        np.maximum.at(height, self.peak, self.height)
        floor = _merge(boxes, self.score, self.peak[self.one], self.peak[self.other], self.saddle)
        return _lifetimes(boxes, height, floor, self.score, low)


def _steps(flat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels that differ from the one before, and whether they are higher."""
    steps = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    return steps, flat[steps] > flat[steps - 1]


def _edges(flat: np.ndarray, width: int, starts: np.ndarray, hill: np.ndarray) -> tuple[np.ndarray, ...]:
    """Pairs of neighbouring hills as two (e,) arrays, and the highest level at which they touch."""
    beside = starts[1:]
    # Between two columns where either row changes its hill, a single pair of hills is in contact.
    upper, lower = flat[:-width], flat[width:]
    cuts = np.union1d(starts, starts - width)
    cuts = cuts[(cuts >= 0) & (cuts < len(upper))]
    below = np.maximum.reduceat(np.minimum(upper, lower), cuts)
    # A diagonal contact matters only if both other pixels are lower; otherwise contacts by sides are as high.
    a, b, c, d = upper[:-1], upper[1:], lower[:-1], lower[1:]
    falling = np.flatnonzero(np.minimum(a, d) > np.maximum(b, c))
    rising = np.flatnonzero(np.minimum(b, c) > np.maximum(a, d))
    one = np.concatenate([beside - 1, cuts, falling, rising + 1])
    other = np.concatenate([beside, cuts + width, falling + width + 1, rising + width])
    saddle = np.minimum(flat[one], flat[other])
    saddle[len(beside) : len(beside) + len(cuts)] = below
    one, other = hill[one], hill[other]
    keep = (saddle > 0) & (one != other)
    return one[keep], other[keep], saddle[keep].astype(np.int32)


def _climb(height: np.ndarray, one: np.ndarray, other: np.ndarray, saddle: np.ndarray) -> np.ndarray:
    """Peak (index of a hill) reached by climbing from the top of each hill; ties go to the later hill."""
    up = np.arange(len(height))
    for low, high in ((one, other), (other, one)):
        climbs = (saddle == height[low]) & ((height[high] > height[low]) | (high > low))
        up[low[climbs]] = high[climbs]
    while not np.array_equal(higher := up[up], up):
        up = higher
    return up


def _extents(hills: _Hills) -> np.ndarray:
    """Box of each peak's pixels at or above each level, (peaks, levels + 1, 4) int32.

    Boxes are ``(y0, x0, -y1, -x1)``, so that the box of a union is a minimum.
    """
    flat, width, peak = hills.flat, hills.width, hills.peak
    steps, rises = _steps(flat)
    levels = int(hills.height.max()) + 1
    y0, x0, y1, x1 = boxes = np.full((4, len(hills.score) * levels), _NONE, np.int32)
    key = peak * levels + hills.height
    row = (hills.starts // width - 1).astype(np.int32)
    np.minimum.at(y0, key, row)
    np.minimum.at(y1, key, -(row + 1))
    for extent, pixels, offset, sign in ((x0, steps[rises], -1, 1), (x1, steps[~rises] - 1, 0, -1)):
        key = peak[hills.hill[pixels]] * levels + flat[pixels]
        np.minimum.at(extent, key, sign * (pixels % width + offset).astype(np.int32))
    down = boxes.reshape(4, -1, levels)[:, :, ::-1]
    np.minimum.accumulate(down, axis=2, out=down)
    return boxes.reshape(4, -1, levels).transpose(1, 2, 0)


def _merge(
    boxes: np.ndarray, score: np.ndarray, one: np.ndarray, other: np.ndarray, saddle: np.ndarray
) -> np.ndarray:
    """Merge peaks from the highest saddle down, the lower peak into the higher; changes `boxes` in place.

    Returns
    -------
    (peaks,) int array
        Level at which each peak is merged into a higher one; 0 if never.
    """
    floor = np.zeros(len(score), int)
    into = list(range(len(score)))
    for a, b, level in _passes(one, other, saddle):
        while into[a] != a:
            into[a] = a = into[into[a]]
        while into[b] != b:
            into[b] = b = into[into[b]]
        if a == b:
            continue
        low, high = (a, b) if score[a] < score[b] else (b, a)
        into[low], floor[low] = high, level
        np.minimum(boxes[high, : level + 1], boxes[low, : level + 1], out=boxes[high, : level + 1])
    return floor


def _passes(one: np.ndarray, other: np.ndarray, saddle: np.ndarray) -> list[tuple[int, int, int]]:
    """Highest pass between each pair of neighbouring peaks, the highest first."""
    apart = one != other
    low, high = np.minimum(one, other)[apart], np.maximum(one, other)[apart]
    order = np.lexsort((-saddle[apart], high, low))
    low, high, saddle = low[order], high[order], saddle[apart][order]
    best = np.append(True, (low[1:] != low[:-1]) | (high[1:] != high[:-1]))[: len(low)]
    order = np.argsort(-saddle[best], kind="stable")
    return np.column_stack([low[best], high[best], saddle[best]])[order].tolist()


def _lifetimes(
    boxes: np.ndarray, height: np.ndarray, floor: np.ndarray, score: np.ndarray, low: int
) -> Components:
    """Distinct boxes of each peak between its top in the band and the level at which it is merged."""
    level = np.arange(boxes.shape[1])
    alive = (level > floor[:, None]) & (level <= height[:, None])
    same = np.all(boxes[:, 1:] == boxes[:, :-1], axis=2)  # equal to the box one level lower
    begins = alive & np.pad(~same | ~alive[:, :-1], ((0, 0), (1, 0)), constant_values=True)
    ends = alive & np.pad(~same | ~alive[:, 1:], ((0, 0), (0, 1)), constant_values=True)
    of_peak, first = np.nonzero(begins[:, ::-1])
    first = boxes.shape[1] - 1 - first
    last = boxes.shape[1] - 1 - np.nonzero(ends[:, ::-1])[1]
    # A component of {level > k} is a component of {level >= k + 1}; levels of the band count from `low`.
    return Components(
        boxes=boxes[of_peak, first] * np.array([1, 1, -1, -1], np.int32),
        first=(first - 1 + low).astype(np.int32),
        last=(last - 1 + low).astype(np.int32),
        score=score[of_peak],
    )


def rows(components: Components, levels: int, image_id: str, geometry: Geometry) -> pd.DataFrame:
    """Rows of a ``detections`` table: a row for each box and threshold at which the box exists.

    Parameters
    ----------
    components : Components
        Components of one stored image.
    levels : int
        See `quantise`.
    image_id : str
        Identifier of the image.
    geometry : mammoflow.breasts.geometry.Geometry
        Converts boxes to pixels of the original image.

    Returns
    -------
    pandas.DataFrame
        A ``detections`` table. Every level at which the image has a box is listed, so an image
        without a row at some threshold has no box there.
    """
    count = components.last - components.first + 1
    original = np.repeat(geometry.within_crop(geometry.to_original(components.boxes)), count, axis=0)
    within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    return pd.DataFrame(
        {
            "image_id": image_id,
            "threshold": (np.repeat(components.first, count) + within) / levels,
            **{name: original[:, axis] for axis, name in enumerate(BOX)},
            "score": np.repeat(components.score, count) / levels,
        }
    )


def detections(maps: Mapping[str, Grid], levels: int, threads: int) -> pd.DataFrame:
    """Rows of a ``detections`` table for all mapped images.

    Parameters
    ----------
    maps : mapping of str to Grid
        By image; see `mpm.open_maps`.
    levels : int
        See `quantise`.
    threads : int
        Number of images processed at the same time.
    """

    def of_image(image_id: str) -> pd.DataFrame:
        grid = maps[image_id]
        return rows(find(quantise(grid.map(), levels)), levels, image_id, grid.geometry)

    tables = [table for table in pool.ordered(of_image, maps, threads) if len(table)]
    if not tables:
        return pd.DataFrame(columns=list(DETECTIONS.columns))
    return pd.concat(tables, ignore_index=True)
