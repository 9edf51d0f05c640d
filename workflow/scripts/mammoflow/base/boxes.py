"""Defines the columns of boxes; computes the bounding box of a mask and the overlap of boxes."""

import numpy as np

BOX = ["y0", "x0", "y1", "x1"]


def bounding_box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Smallest box around the true pixels of a mask.

    Parameters
    ----------
    mask : (M, N) bool ndarray
        A mask with at least one true pixel.

    Returns
    -------
    tuple of int
        y0, x0, y1, x1, half-open.

    Examples
    --------
    >>> bounding_box(np.eye(4, dtype=bool)[1:3])
    (0, 1, 2, 3)
    """
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def overlap(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Intersection over union of each first box with each second box.

    Parameters
    ----------
    first, second : (n, 4) and (m, 4) arrays
        ``(y0, x0, y1, x1)``, half-open.

    Returns
    -------
    (n, m) float array

    Examples
    --------
    >>> overlap(np.array([[0, 0, 2, 2]]), np.array([[0, 1, 2, 3], [2, 2, 4, 4]])).round(3)
    array([[0.333, 0.   ]])
    """
    first, second = np.asarray(first)[:, None], np.asarray(second)[None]
    sides = np.minimum(first[..., 2:], second[..., 2:]) - np.maximum(first[..., :2], second[..., :2])
    shared = sides.clip(0).prod(axis=-1)
    area_of_first, area_of_second = ((boxes[..., 2:] - boxes[..., :2]).prod(-1) for boxes in (first, second))
    union = area_of_first + area_of_second - shared
    return np.divide(shared, union, out=np.zeros(shared.shape), where=union > 0)
