"""Finds the breast region of a mammogram."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import ceil

import numpy as np
from scipy import ndimage
from skimage.filters import threshold_otsu, threshold_triangle

from mammoflow.base.boxes import bounding_box
from mammoflow.base.exclusions import Excluded
from mammoflow.breasts.geometry import expected_side

WORKING_SIZE = 512
MIN_SHARE, MAX_SHARE = 0.05, 0.85
MIN_PART = 0.9
LINE = 0.95
# Film: objects in the outer tenth, next to the breast, are labels, tape or frame.
MARGIN = 0.1
STRIP = 0.25
RIM = 0.04
# Film: a line at the edge is not breast if it is darker than this fraction of the level a few lines inwards.
EDGE = 0.9

_SIDES = (slice(None, 4), slice(-4, None))


@dataclass(frozen=True)
class Region:
    """The detected breast region, and whether it is plausible.

    Parameters
    ----------
    mask : (M, N) bool ndarray
        The breast region in pixels of the original image.
    small : (m, n) float32 ndarray
        The reduced image in which the breast was detected, no side longer than `WORKING_SIZE`.
    fallback : bool
        Whether the first method found no plausible region, so that another method was used.
    problem : Excluded or None
        ``breast-area`` or ``breast-fragmented`` if no method found a plausible breast; the mask is then
        the result of the last method.
    """

    mask: np.ndarray
    small: np.ndarray
    fallback: bool = False
    problem: Excluded | None = None


def chest_wall(region: np.ndarray, laterality: str = "") -> str:
    """Side of the image where the chest wall is, from the shape of the breast region.

    A breast is taller at the chest wall than at the nipple.

    Parameters
    ----------
    region : (M, N) bool ndarray
        The breast region.
    laterality : {"L", "R", ""}
        Used only if the region is equally tall at both ends.

    Returns
    -------
    {"left", "right"}
    """
    _, x0, _, x1 = bounding_box(region)
    heights = np.count_nonzero(region[:, x0:x1], axis=0)
    end = max(1, len(heights) // 5)
    left, right = heights[:end].mean(), heights[-end:].mean()
    if abs(left - right) <= 0.02 * max(left, right):
        return expected_side(laterality) or "left"
    return "left" if left > right else "right"


def breast_region(image: np.ndarray, acquisition: str) -> Region:
    """Find the breast region of a mammogram from the image alone, without annotations.

    Film: Otsu's threshold on the logarithm of the exposed film; if the result is not plausible, the
    triangle threshold. Digital: all pixels above the background, which has the lowest value of the image;
    if the result is not plausible, the methods for film. The result is always one connected region without
    holes.

    Parameters
    ----------
    image : (M, N) uint16 ndarray
        Grey values, air dark.
    acquisition : {"film", "digital"}
        How the image was acquired.

    Returns
    -------
    Region

    Raises
    ------
    ValueError
        For another acquisition.

    References
    ----------
    .. [1] Agarwal et al. (2019), section 2.1: Otsu's threshold on film, a global one on digital images.
    """
    if acquisition not in _METHODS:
        raise ValueError(f"acquisition: expected one of {', '.join(_METHODS)}, got {acquisition!r}")
    step = ceil(max(image.shape) / WORKING_SIZE)
    small = _block_mean(image, step)
    for number, method in enumerate(_METHODS[acquisition]):
        region, foreground = method(small)
        problem, fallback = _problem(region, foreground), number > 0
        if problem is None:
            break
    mask = _enlarge(region, step, image.shape)
    if acquisition == "film" and problem is None:
        mask = _without_edge_lines(image, mask, 2 * step)
    return Region(mask, small, fallback, problem)


def _without_edge_lines(image: np.ndarray, region: np.ndarray, depth: int) -> np.ndarray:
    """Remove the dark lines that a digitiser leaves at the edge of the film from a region.

    The reduced image is too coarse to show them. They matter because windows that extend beyond the image
    are filled by mirroring: a dark line at the edge would lie in the middle of every such patch.
    """
    y0, x0, y1, x1 = bounding_box(region)
    pixels, inside = image[y0:y1, x0:x1], region[y0:y1, x0:x1].copy()
    for turns in range(4):
        lines, within = np.rot90(pixels, turns), np.rot90(inside, turns)
        levels = [
            np.median(line[of]) if of.any() else 0.0
            for line, of in zip(lines[: depth + 1], within, strict=False)
        ]
        dark = [level < EDGE * levels[-1] for level in levels]
        within[: dark.index(False)] = False
    trimmed = np.zeros_like(region)
    trimmed[y0:y1, x0:x1] = inside
    return trimmed


def _block_mean(image: np.ndarray, step: int) -> np.ndarray:
    """Mean of blocks of step×step pixels, float32; incomplete blocks at the far edges are dropped."""
    rows, columns = (max(1, size // step) for size in image.shape)
    image = image[: rows * step, : columns * step]
    # Sum over rows first: memory is read in order, and this is most of the work.
    lines = image.reshape(rows, -1, image.shape[1]).sum(axis=1, dtype=np.uint32)
    blocks = lines.reshape(rows, columns, -1).sum(axis=2, dtype=np.uint64)
    return (blocks / (image.size / blocks.size)).astype(np.float32)


def _enlarge(mask: np.ndarray, step: int, shape: tuple[int, int]) -> np.ndarray:
    for axis in (1, 0):
        repeats = np.full(mask.shape[axis], step)
        repeats[-1] += shape[axis] - repeats.sum()
        mask = np.repeat(mask, repeats, axis=axis)
    return mask


def _film(threshold: Callable[[np.ndarray], float], small: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Breast and foreground of a reduced film, by thresholding its logarithm."""
    grey = np.log1p(small - small.min())
    exposed = _exposed(small)
    exposed &= ~_frame(small, bounding_box(exposed))
    if not exposed.any():
        return exposed, exposed
    level = threshold(grey[exposed])
    foreground = (grey > level) & exposed
    y0, x0, y1, x1 = _inner(foreground, bounding_box(exposed))
    inner = np.s_[y0:y1, x0:x1]
    region = np.zeros(small.shape, dtype=bool)
    region[inner] = _grow(_component(foreground[inner]), grey[inner], level)
    region = _extend(region, (y0, x0, y1, x1)) & exposed
    return region, foreground & (region | _middle(bounding_box(exposed), small.shape))


def _middle(box: tuple[int, int, int, int], shape: tuple[int, int]) -> np.ndarray:
    """Mask of a box without its margins."""
    y0, x0, y1, x1 = box
    down, across = round(MARGIN * (y1 - y0)), round(MARGIN * (x1 - x0))
    middle = np.zeros(shape, dtype=bool)
    middle[y0 + down : y1 - down, x0 + across : x1 - across] = True
    return middle


def _exposed(small: np.ndarray) -> np.ndarray:
    """Mask of the film without black padding: rows and columns with more than a few bright pixels."""
    dark = small.min() + 0.01 * (small.max() - small.min())
    bright = [np.percentile(small, 95, axis=axis) > dark for axis in (1, 0)]
    return np.outer(*bright) if all(line.any() for line in bright) else np.ones(small.shape, dtype=bool)


def _frame(small: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    """Mask of saturated strips along an entire side of a box: the light around a tilted film."""
    y0, x0, y1, x1 = box
    pieces, count = ndimage.label(small[y0:y1, x0:x1] >= 0.98 * small.max())
    is_small = np.bincount(pieces.ravel(), minlength=count + 1)[1:] < STRIP * pieces.size
    frame = np.zeros(small.shape, dtype=bool)
    for side in (pieces[0], pieces[-1], pieces[:, 0], pieces[:, -1]):
        share = np.bincount(side, minlength=count + 1)[1:] / side.size
        for piece in np.flatnonzero((share > LINE) & is_small) + 1:
            frame[y0:y1, x0:x1] |= pieces == piece
    return ndimage.binary_dilation(frame, iterations=2)


def _inner(foreground: np.ndarray, box: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """Shrink a box by a thin margin, and by lines in its outer 5 % that are bright from end to end."""
    y0, x0, y1, x1 = box
    rows = foreground[y0:y1, x0:x1].mean(axis=1) > LINE
    columns = foreground[y0:y1, x0:x1].mean(axis=0) > LINE
    return (
        y0 + _line_width(rows),
        x0 + _line_width(columns),
        y1 - _line_width(rows[::-1]),
        x1 - _line_width(columns[::-1]),
    )


def _line_width(bright: np.ndarray) -> int:
    """Number of rows or columns to remove at the beginning; wider bright areas are not lines and are kept."""
    limit, margin = min(len(bright), max(2, len(bright) // 20)), max(1, len(bright) // 100)
    lines = np.flatnonzero(bright[:limit])
    width = int(lines[-1]) + 1 + margin if lines.size and not bright[limit - 1] else margin
    return min(width, (len(bright) - 1) // 2)


def _extend(region: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    """Extend a region from the sides of a box to the sides of the image."""
    y0, x0, y1, x1 = box
    rows, columns = region.shape
    return np.pad(region[y0:y1, x0:x1], ((y0, rows - y1), (x0, columns - x1)), mode="edge")


def _grow(region: np.ndarray, grey: np.ndarray, level: float) -> np.ndarray:
    """Grow a region by its fainter rim: pixels brighter than halfway from background to threshold."""
    reach = max(1, round(RIM * max(region.shape)))
    distance = ndimage.distance_transform_edt(~region)
    background = grey[(distance > reach) & (grey <= level)]
    if not region.any() or not background.size:
        return region
    rim = (distance <= reach) & (grey > (np.median(background) + level) / 2)
    grown = _open(region | rim, max(1, reach // 2))
    pieces, _ = ndimage.label(grown | region)
    return ndimage.binary_fill_holes(pieces == np.bincount(pieces[region]).argmax())


def _component(foreground: np.ndarray) -> np.ndarray:
    """The connected component that best combines size and contact with the left or right edge, filled."""
    radius = max(1, round(0.01 * max(foreground.shape)))
    pieces, count = ndimage.label(_open(foreground, radius))
    if not count:
        return foreground & False
    area = np.bincount(pieces.ravel(), minlength=count + 1)
    contact = [
        max(np.count_nonzero((pieces[:, side] == piece).any(axis=1)) for side in _SIDES)
        for piece in range(count + 1)
    ]
    score = area * (0.05 + np.array(contact) / len(pieces))
    return ndimage.binary_fill_holes(pieces == score[1:].argmax() + 1)


def _open(mask: np.ndarray, radius: int) -> np.ndarray:
    """Morphological opening by a disk; the edge values of the mask are repeated beyond the image."""
    padded = np.pad(mask, 2 * radius, mode="edge")
    core = ndimage.distance_transform_edt(padded) > radius
    opened = ndimage.distance_transform_edt(~core) <= radius
    return opened[2 * radius : -2 * radius, 2 * radius : -2 * radius] & mask


def _digital(small: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    lowest = small.min()
    foreground = small > lowest + 0.01 * (np.percentile(small, 99) - lowest)
    return _component(foreground), foreground


def _problem(region: np.ndarray, foreground: np.ndarray) -> Excluded | None:
    """Why a region cannot be a breast: ``breast-area`` or ``breast-fragmented``."""
    share = region.mean()
    if not MIN_SHARE <= share <= MAX_SHARE:
        expected = f"expected {MIN_SHARE:.0%} to {MAX_SHARE:.0%} of the image"
        return Excluded("breast-area", f"{expected}, got {share:.1%}")
    part = np.count_nonzero(region & foreground) / max(1, np.count_nonzero(foreground))
    if part < MIN_PART:
        return Excluded("breast-fragmented", f"expected {MIN_PART:.0%} of the foreground, got {part:.1%}")
    return None


_OTSU, _TRIANGLE = partial(_film, threshold_otsu), partial(_film, threshold_triangle)
_METHODS = {"film": (_OTSU, _TRIANGLE), "digital": (_digital, _OTSU, _TRIANGLE)}
