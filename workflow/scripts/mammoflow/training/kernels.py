"""Augments and normalises patches on processors, one patch at a time so that it stays in the cache.

These are the computations of `augmentation.show` and `normalization.normalize`, compiled by Numba; GPUs
use those functions instead. All functions can be called from several threads.
"""

import numpy as np
from numpy import float32, int32, uint32

from mammoflow.base.machine_code import compiled
from mammoflow.networks import normalization
from mammoflow.patches import local_contrast


def show(patches: np.ndarray, transforms: np.ndarray) -> np.ndarray:
    """Apply affine transforms to patches: bilinear, with mirroring where a view extends beyond the patch.

    Parameters
    ----------
    patches : (n, w, w) ndarray of uint16
        Patches before normalisation, at least 2 pixels wide.
    transforms : (n, 2, 3) ndarray of float32
        The result of `augmentation.transforms`.

    Returns
    -------
    (n, w, w) ndarray of float32
        Bit for bit the result of `augmentation.show` on processors.
    """
    shown = np.empty(patches.shape, float32)
    _show(patches, transforms, shown)
    return shown


def prepare(
    patches: np.ndarray, transforms: np.ndarray, minimum: np.ndarray, maximum: np.ndarray, kind: str
) -> np.ndarray:
    """Apply affine transforms to patches and normalise them for the networks.

    Parameters
    ----------
    patches, transforms
        See `show`.
    minimum, maximum : (n,) ndarray of uint16
        Least and greatest grey value of the breast; only ``scale`` uses them.
    kind : {'gcn', 'scale', 'local'}
        Name of the normalisation; see `normalization`.

    Returns
    -------
    (n, w, w) ndarray of float32
        The result of `normalization.normalize`, within rounding error.

    Raises
    ------
    ValueError
        When `kind` is unknown.
    """
    normalization.check(kind)
    prepared = np.empty(patches.shape, float32)
    match kind:
        case "gcn":
            _prepare_gcn(patches, transforms, normalization.FLOOR, prepared)
        case "scale":
            _prepare_scale(patches, transforms, minimum, maximum, prepared)
        case "local":
            zero, step = float32(local_contrast.ZERO), float32(1 / local_contrast.STEPS)
            _prepare_local(patches, transforms, zero, step, prepared)
    return prepared


# A function for each kind, so that only the kind that is used is compiled.
@compiled
def _prepare_gcn(patches, transforms, floor, prepared):
    for k in range(len(patches)):
        _show(patches[k : k + 1], transforms[k : k + 1], prepared[k : k + 1])
        _gcn(prepared[k].ravel(), floor)


@compiled
def _prepare_scale(patches, transforms, minimum, maximum, prepared):
    for k in range(len(patches)):
        _show(patches[k : k + 1], transforms[k : k + 1], prepared[k : k + 1])
        _scale(prepared[k].ravel(), float32(minimum[k]), float32(maximum[k]))


@compiled
def _prepare_local(patches, transforms, zero, step, prepared):
    for k in range(len(patches)):
        _show(patches[k : k + 1], transforms[k : k + 1], prepared[k : k + 1])
        _local(prepared[k].ravel(), zero, step)


@compiled
def _show(patches, transforms, shown):
    window = patches.shape[1]
    pairs = np.empty(window * window, uint32)
    first = np.empty(window, uint32)
    right, down = np.empty(window, float32), np.empty(window, float32)
    upper, lower = np.empty(window, uint32), np.empty(window, uint32)
    for k in range(len(patches)):
        (a0, a1, a2), (b0, b1, b2) = transforms[k]
        _pair(patches[k].ravel(), pairs)
        for y in range(window):
            _neighbours(a0, a1 * float32(y) + a2, b0, b1 * float32(y) + b2, first, right, down)
            for x in range(window):
                upper[x] = pairs[first[x]]
                lower[x] = pairs[first[x] + uint32(window)]
            _between(upper, lower, right, down, shown[k, y])


@compiled
def _pair(grey, pairs):
    """Pack each pixel with the next one, so that both can be read at once."""
    for i in range(len(grey) - 1):
        pairs[i] = uint32(grey[i]) | uint32(grey[i + 1]) << uint32(16)


@compiled
def _neighbours(a, a_row, b, b_row, first, right, down):
    """For each position of a row: the pixel before it, and its offsets to the right and down."""
    window = len(first)
    last = int32(window - 2)
    for i in range(window):
        x = _mirrored(a * float32(int32(i)) + a_row, float32(window))
        y = _mirrored(b * float32(int32(i)) + b_row, float32(window))
        column, row = min(int32(x), last), min(int32(y), last)
        right[i], down[i] = x - float32(column), y - float32(row)
        first[i] = row * int32(window) + column


@compiled(inline="always")
def _mirrored(place, window):
    """Mirror a position at the edges of the patch, half a pixel outside the first and last pixel."""
    half, whole = float32(0.5), float32(2) * window
    way = place + half
    way -= whole * np.floor(way / whole)
    return min(max(window - abs(way - window) - half, float32(0)), window - float32(1))


@compiled
def _between(upper, lower, right, down, shown):
    for i in range(len(shown)):
        above = _first(upper[i]) + right[i] * (_second(upper[i]) - _first(upper[i]))
        below = _first(lower[i]) + right[i] * (_second(lower[i]) - _first(lower[i]))
        shown[i] = above + down[i] * (below - above)


@compiled
def _first(pair):
    return float32(int32(pair & uint32(0xFFFF)))


@compiled
def _second(pair):
    return float32(int32(pair >> uint32(16)))


# Sums may be computed in any order and are therefore vectorised.
@compiled(fastmath={"reassoc"})
def _gcn(grey, floor):
    count, total, squares = len(grey), 0.0, 0.0
    for i in range(count):
        total += np.float64(grey[i])
    mean = total / count
    for i in range(count):
        difference = np.float64(grey[i]) - mean
        squares += difference * difference
    deviation = np.sqrt(squares / count)
    factor = float32(1 / deviation if deviation >= floor else 0.0)
    for i in range(count):
        grey[i] = (grey[i] - float32(mean)) * factor


@compiled
def _scale(grey, minimum, maximum):
    span = maximum - minimum
    factor = float32(255) / span if span > 0 else float32(0)
    for i in range(len(grey)):
        grey[i] = min(max((grey[i] - minimum) * factor, float32(0)), float32(255))


@compiled
def _local(grey, zero, step):
    for i in range(len(grey)):
        grey[i] = (grey[i] - zero) * step
