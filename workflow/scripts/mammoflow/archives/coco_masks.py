"""Draws COCO annotations as masks: boxes, polygons and run-length encodings, as pycocotools does.

Coordinates are pixels with the origin at the outer corner of the first pixel, x before y.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mammoflow.base import coco
from mammoflow.base.exclusions import Excluded

# Beyond the image by more than the rounding of coordinates.
CLIPPED_PX = 0.5

# Polygons are drawn on a grid of fifths of a pixel.
_SCALE = 5
_MAX_BOUNDARY = 20_000_000
_MAX_DIGITS = 7


def draw(annotation: Mapping[str, Any], shape: tuple[int, int]) -> tuple[np.ndarray, str]:
    """Mask of an annotation: of its segmentation, or where it has none, of its box.

    Parameters
    ----------
    annotation : mapping
        With ``segmentation`` (a list of polygons ``[x, y, x, y, …]``, or a mapping with the ``size``
        ``[rows, columns]`` and the ``counts`` of runs, a list or a text) or ``bbox`` (``[x, y, width,
        height]``).
    shape : tuple of int
        Rows and columns of the image.

    Returns
    -------
    mask : (M, N) bool ndarray
        At least one pixel is set.
    flag : str
        ``box-clipped`` or ``contour-clipped`` where it goes beyond the image, else empty.

    Raises
    ------
    Excluded
        ``bad-annotation``, ``contour-points``, ``contour-outside``, ``mask-size`` or ``mask-constant``.
    """
    segmentation = annotation.get("segmentation")
    if not segmentation or segmentation == [[]]:
        return _of_box(annotation.get("bbox"), shape)
    if isinstance(segmentation, Mapping):
        return _of_runs(segmentation, shape), ""
    if not isinstance(segmentation, list):
        raise Excluded("bad-annotation", "expected a segmentation of polygons or runs")
    return _of_polygons(segmentation, shape)


def _of_box(box: object, shape: tuple[int, int]) -> tuple[np.ndarray, str]:
    if not isinstance(box, list) or len(box) != 4 or not all(map(coco.is_number, box)):
        raise Excluded("bad-annotation", "expected a box of four finite numbers")
    x, y, width, height = map(float, box)
    if width <= 0 or height <= 0:
        raise Excluded("bad-annotation", "expected a box with width and height above 0")
    (y0, y1), (x0, x1) = _whole(y, y + height), _whole(x, x + width)
    mask = np.zeros(shape, dtype=bool)
    mask[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)] = True
    if not mask.any():
        raise Excluded("contour-outside", "a box without a pixel inside the image")
    clipped = min(y0, x0) < 0 or y1 > shape[0] or x1 > shape[1]
    return mask, "box-clipped" if clipped else ""


def _whole(low: float, high: float) -> tuple[int, int]:
    """Nearest edges of pixels; what is thinner than a pixel keeps the one in which its middle lies."""
    first, last = math.floor(low + 0.5), math.floor(high + 0.5)
    if first < last:
        return first, last
    middle = math.floor((low + high) / 2)
    return middle, middle + 1


def _of_polygons(polygons: Sequence[object], shape: tuple[int, int]) -> tuple[np.ndarray, str]:
    mask, clipped = np.zeros(shape, dtype=bool), False
    for polygon in polygons:
        points = _points(polygon)
        mask |= _filled(points, shape)
        beyond = (points < -CLIPPED_PX) | (points > np.array(shape[::-1]) + CLIPPED_PX)
        clipped |= bool(beyond.any())
    if not mask.any():
        raise Excluded("contour-outside")
    return mask, "contour-clipped" if clipped else ""


def _points(polygon: object) -> np.ndarray:
    """Points of a polygon, shape (K, 2), ``(x, y)``."""
    if not isinstance(polygon, list) or not all(map(coco.is_number, polygon)) or len(polygon) % 2:
        raise Excluded("bad-annotation", "expected polygons [x, y, x, y, …] of finite numbers")
    if len(polygon) < 6:
        raise Excluded("contour-points", f"expected at least 3 points, got {len(polygon) // 2}")
    return np.array(polygon, dtype=np.float64).reshape(-1, 2)


def _filled(points: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Pixels inside a polygon, as ``rleFrPoly`` of pycocotools finds them.

    The boundary is followed in steps of a fifth of a pixel. Where it crosses the middle of a column, the
    pixels below that point change from outside to inside or back.
    """
    rows, columns = shape
    across, down = _boundary(points, shape)
    steps = np.flatnonzero(np.diff(across))
    before, after = across[steps], across[steps + 1]
    x = (np.minimum(before, after) + 0.5) / _SCALE - 0.5
    y = (np.minimum(down[steps], down[steps + 1]) + 0.5) / _SCALE - 0.5
    crossing = (np.floor(x) == x) & (x >= 0) & (x <= columns - 1)
    mask = np.zeros(shape, dtype=bool)
    if crossing.any():
        x, y = x[crossing].astype(np.int64), np.ceil(y[crossing].clip(0, rows)).astype(np.int64)
        box = np.s_[y.min() : y.max(), x.min() : x.max() + 1]
        changes = np.zeros((y.max() - y.min() + 1, x.max() - x.min() + 1), dtype=np.uint8)
        np.bitwise_xor.at(changes, (y - y.min(), x - x.min()), 1)
        mask[box] = np.bitwise_xor.accumulate(changes, axis=0)[:-1]
    return mask


def _boundary(points: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The closed boundary of a polygon in fifths of a pixel, x and y, in steps of at most 1."""
    corners = np.trunc(_SCALE * points + 0.5).astype(np.int64)
    sides = np.diff(corners, axis=0, append=corners[:1])
    if np.abs(sides).max(axis=1).sum() > _MAX_BOUNDARY:
        raise Excluded("bad-annotation", f"a polygon that goes far beyond the {shape[0]} × {shape[1]} pixels")
    parts = [_line(start, side) for start, side in zip(corners, sides, strict=True)]
    x, y = np.concatenate(parts).T
    return x, y


def _line(start: np.ndarray, side: np.ndarray) -> np.ndarray:
    """Points of a side, shape (K, 2), rounded in the direction of its longer extent as pycocotools does."""
    longer = 0 if abs(side[0]) >= abs(side[1]) else 1
    length = abs(side[longer])
    steps = np.arange(length + 1)
    if side[longer] < 0:
        start, side, steps = start + side, -side, steps[::-1]
    line = np.empty((length + 1, 2), dtype=np.int64)
    slope = side[1 - longer] / length if length else 0.0
    line[:, longer] = start[longer] + steps
    line[:, 1 - longer] = np.trunc(start[1 - longer] + slope * steps + 0.5).astype(np.int64)
    return line


def _of_runs(segmentation: Mapping[str, Any], shape: tuple[int, int]) -> np.ndarray:
    """Pixels of runs, alternately outside and inside, column by column."""
    counts, size = segmentation.get("counts"), segmentation.get("size")
    if size != list(shape):
        raise Excluded("mask-size", f"expected runs of {shape[0]} × {shape[1]} pixels, got another size")
    if isinstance(counts, str):
        counts = _counts(counts)
    if not isinstance(counts, list) or not all(map(_is_count, counts)):
        raise Excluded("bad-annotation", "expected runs as whole numbers or as a compressed text")
    if sum(counts) != shape[0] * shape[1]:
        raise Excluded("bad-annotation", f"runs of {sum(counts)} pixels for {shape[0]} × {shape[1]}")
    mask = np.repeat(np.arange(len(counts)) % 2 == 1, counts).reshape(shape[::-1]).T
    if not mask.any():
        raise Excluded("mask-constant")
    return np.ascontiguousarray(mask)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _counts(text: str) -> list[int]:
    """Runs of a compressed text: five bits a character, low ones first; from the fourth on, differences."""
    counts, value, digit = [], 0, 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or digit >= _MAX_DIGITS:
            raise Excluded("bad-annotation", "runs in a text that is no compressed one")
        value |= (bits & 31) << 5 * digit
        digit += 1
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << 5 * digit
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value, digit = 0, 0
    if digit:
        raise Excluded("bad-annotation", "runs in a text that ends too early")
    return counts
