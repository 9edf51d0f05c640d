"""Counts at descending thresholds, stored as their changes in a sparse matrix.

A row is whatever is counted in: a lesion, an image, a patient. It has a column for each of t thresholds, and
one more at which everything ends. The cumulative sum along a row is the count at each threshold. Boxes come
and go few times, so that the matrix is small where one of all counts would not fit into memory.
"""

import numpy as np
from scipy.sparse import coo_array, csr_array


def of_ranges(row: np.ndarray, start: np.ndarray, stop: np.ndarray, shape: tuple[int, int]) -> csr_array:
    """Changes of the number of ranges in each row, (rows, t + 1) int.

    Parameters
    ----------
    row, start, stop : (n,) int arrays
        Each range adds one to its row at the thresholds ``start:stop``.
    shape : (int, int)
        Number of rows, and of thresholds t.

    Examples
    --------
    >>> of_ranges(np.array([0, 0]), np.array([0, 1]), np.array([2, 3]), (1, 3)).toarray()
    array([[ 1,  1, -1, -1]], dtype=int32)
    """
    one = np.ones(len(row), np.int32)
    places = (np.tile(row, 2), np.concatenate([start, stop]))
    return _tidy(coo_array((np.concatenate([one, -one]), places), (shape[0], shape[1] + 1)).tocsr())


def grouped(changes: csr_array, group: np.ndarray, groups: int) -> csr_array:
    """Changes of the sum over the rows of each group, (groups, t + 1) int.

    Parameters
    ----------
    changes : (n, t + 1) sparse int array
        Of the rows.
    group : (n,) int array
        Group of each row.
    groups : int
        Number of groups.
    """
    members = csr_array((np.ones(len(group), np.int32), (group, np.arange(len(group)))), (groups, len(group)))
    return _tidy(members @ changes)


def any_of(changes: csr_array) -> csr_array:
    """Changes of whether a count is above zero, (n, t + 1) int.

    Examples
    --------
    >>> any_of(of_ranges(np.array([0, 0]), np.array([0, 1]), np.array([2, 3]), (1, 3))).toarray()
    array([[ 1,  0,  0, -1]], dtype=int32)
    """
    # Each row ends at zero, so the cumulative sum over all rows starts at zero in each of them.
    above = np.cumsum(changes.data) > 0
    found = changes.copy()
    found.data = np.diff(above.astype(np.int32), prepend=np.int32(0))
    return _tidy(found)


def first(changes: csr_array) -> np.ndarray:
    """Number of the first threshold at which each count is above zero, t if it never is: (n,) int."""
    never = changes.shape[1] - 1
    return np.where(np.diff(changes.indptr), np.append(changes.indices, never)[changes.indptr[:-1]], never)


def totals(changes: csr_array) -> np.ndarray:
    """Sum over all rows at each threshold, (t,) int."""
    return np.cumsum(changes.sum(axis=0))[:-1]


def _tidy(changes: csr_array) -> csr_array:
    """The same matrix with entries in order, each place once, and none of zero."""
    changes.sum_duplicates()
    changes.eliminate_zeros()
    return changes
