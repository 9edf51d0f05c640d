"""Defines the columns of boxes, and computes the bounding box of a mask."""

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
