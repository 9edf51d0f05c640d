"""Windows on a mammogram, and their labels.

The central pixel of a window decides (section 2.2 of [1]_): the window counts when that pixel lies
in the breast, and it is positive when that pixel lies in a mass.

References
----------
.. [1] Agarwal et al., "Automatic mass detection in mammograms using deep convolutional neural
   networks", Journal of Medical Imaging 6(3), 031409 (2019).
"""

from dataclasses import dataclass

import numpy as np

EDGES = ("inside", "centred")


@dataclass(frozen=True)
class Windows:
    """How windows are laid on an image.

    Parameters
    ----------
    window : int
        Side in pixels; the paper's is 224.
    stride : int
        Distance of neighbouring windows in pixels; the paper's is 56.
    edge : {'inside', 'centred'}
        ``inside``: windows lie wholly in the stored image, as in the paper. ``centred``: window
        centres cover the whole stored image, so that a mass at the chest wall is seen as well; the
        pixels that a window has outside the image are mirrored at its edge. (Zeros there would be the
        strongest contrast of the patch, which global contrast normalisation scales everything by.)
    """

    window: int
    stride: int
    edge: str

    def __post_init__(self) -> None:
        if self.window < 1 or self.stride < 1:
            raise ValueError(
                "patches: expected window and stride of at least 1 pixel, "
                f"got window={self.window}, stride={self.stride}"
            )
        if self.edge not in EDGES:
            raise ValueError(f"patches.edge: expected one of {', '.join(EDGES)}, got {self.edge!r}")

    @property
    def half(self) -> int:
        """Offset of the central pixel from a window's top-left pixel."""
        return self.window // 2


def grid(shape: tuple[int, int], windows: Windows) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns where windows begin.

    Parameters
    ----------
    shape : (M, N)
        Shape of the stored image.
    windows : Windows
        How windows are laid.

    Returns
    -------
    top : (GY,) ndarray of int32
        First rows of the windows, ascending. Negative where ``centred`` windows hang over the edge.
        Add ``windows.half`` for the central pixels.
    left : (GX,) ndarray of int32
        First columns, likewise.

    Examples
    --------
    >>> grid((8, 11), Windows(window=4, stride=3, edge="inside"))
    (array([0, 3], dtype=int32), array([0, 3, 6], dtype=int32))
    >>> grid((8, 11), Windows(window=4, stride=3, edge="centred"))
    (array([-2,  1,  4], dtype=int32), array([-2,  1,  4,  7], dtype=int32))
    """
    begin = _begin_inside if windows.edge == "inside" else _begin_centred
    return begin(shape[0], windows), begin(shape[1], windows)


def _begin_inside(length: int, windows: Windows) -> np.ndarray:
    return np.arange(0, length - windows.window + 1, windows.stride, dtype=np.int32)


def _begin_centred(length: int, windows: Windows) -> np.ndarray:
    """Centres `stride` apart; the same rest, to a pixel, before the first and after the last."""
    rest = (length - 1) % windows.stride
    return np.arange(rest // 2, length, windows.stride, dtype=np.int32) - windows.half


def in_breast(breast: np.ndarray, windows: Windows) -> np.ndarray:
    """Which windows of the grid have their central pixel in the breast.

    Parameters
    ----------
    breast : (M, N) ndarray of bool
        Breast region.
    windows : Windows
        How windows are laid.

    Returns
    -------
    (GY, GX) ndarray of bool
        On the grid of `grid`.
    """
    top, left = grid(breast.shape, windows)
    return breast[np.ix_(top + windows.half, left + windows.half)]


def positions(breast: np.ndarray, windows: Windows) -> np.ndarray:
    """Top-left pixels of the windows whose central pixel lies in the breast.

    Parameters
    ----------
    breast : (M, N) ndarray of bool
        Breast region.
    windows : Windows
        How windows are laid.

    Returns
    -------
    (n, 2) ndarray of int32
        Rows ``(y, x)`` in raster order.
    """
    return begins(in_breast(breast, windows), breast.shape, windows)


def begins(chosen: np.ndarray, shape: tuple[int, int], windows: Windows) -> np.ndarray:
    """Top-left pixels of chosen windows of the grid.

    Parameters
    ----------
    chosen : (GY, GX) ndarray of bool
        As `in_breast` or `supporting` gives it.
    shape : (M, N)
        Shape of the stored image.
    windows : Windows
        How windows are laid.

    Returns
    -------
    (n, 2) ndarray of int32
        Rows ``(y, x)`` in raster order.
    """
    top, left = grid(shape, windows)
    row, column = np.nonzero(chosen)
    return np.stack([top[row], left[column]], axis=1)


def supporting(breast: np.ndarray, windows: Windows) -> np.ndarray:
    """Which windows of the grid a map of the breast is interpolated from.

    A pixel is interpolated from the windows whose centres are the corners of its grid cell, so a window
    counts when one of the cells around its centre holds a breast pixel, be the centre itself in the
    breast or not. Beyond the outermost centres the cells reach to the edge of the image.

    Parameters
    ----------
    breast : (M, N) ndarray of bool
        Breast region.
    windows : Windows
        How windows are laid.

    Returns
    -------
    (GY, GX) ndarray of bool
        On the grid of `grid`.

    Examples
    --------
    >>> breast = np.array([[False, False, False, True, False, False, False]])
    >>> supporting(breast, Windows(window=1, stride=2, edge="centred"))
    array([[False,  True,  True, False]])
    """
    top, left = grid(breast.shape, windows)
    # Cells begin at the edge of the image and at each centre: one more than there are centres.
    held = np.logical_or.reduceat(breast, np.append(0, top + windows.half), axis=0)
    held = np.logical_or.reduceat(held, np.append(0, left + windows.half), axis=1)
    return held[:-1, :-1] | held[1:, :-1] | held[:-1, 1:] | held[1:, 1:]


def labels(lesions: np.ndarray, begin: np.ndarray, windows: Windows) -> np.ndarray:
    """1 where the central pixel of a window lies in a mass, else 0.

    Parameters
    ----------
    lesions : (M, N) ndarray of int
        Label map of the masses, 0 outside.
    begin : (n, 2) ndarray of int
        Top-left pixels, as `positions` gives them.
    windows : Windows
        How windows are laid.

    Returns
    -------
    (n,) ndarray of uint8
    """
    centre = begin + windows.half
    return (lesions[centre[:, 0], centre[:, 1]] > 0).astype(np.uint8)


def within_breast(breast: np.ndarray, begin: np.ndarray, windows: Windows) -> np.ndarray:
    """Whether windows lie wholly in the breast: those that do not are border windows.

    A ``centred`` window may hang over the edge of the stored image. There the image ends, not the
    breast: such a window is judged by the pixels that it has in the image.

    Parameters
    ----------
    breast : (M, N) ndarray of bool
        Breast region.
    begin : (n, 2) ndarray of int
        Top-left pixels, as `positions` gives them.
    windows : Windows
        How windows are laid.

    Returns
    -------
    (n,) ndarray of bool
    """
    y0, x0 = np.clip(begin, 0, None).T
    y1, x1 = np.minimum(begin + windows.window, breast.shape).T
    # Pixels outside the breast are counted between the lines that windows begin or end at, once.
    rows, columns = (np.unique(np.concatenate([[0], *edges])) for edges in ((y0, y1), (x0, x1)))
    rows, columns = rows[rows < breast.shape[0]], columns[columns < breast.shape[1]]
    counted = np.add.reduceat(~breast, rows, axis=0, dtype=np.int32)
    counted = np.add.reduceat(counted, columns, axis=1)
    outside = np.pad(counted.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    y0, y1 = np.searchsorted(rows, [y0, y1])
    x0, x1 = np.searchsorted(columns, [x0, x1])
    return outside[y1, x1] - outside[y0, x1] - outside[y1, x0] + outside[y0, x0] == 0


def cut(pixels: np.ndarray, begin: np.ndarray, window: int) -> np.ndarray:
    """The pixels of windows.

    Parameters
    ----------
    pixels : (M, N) ndarray of uint16
        Stored image.
    begin : (n, 2) ndarray of int
        Top-left pixels; a window may hang over the edge, where the image is mirrored.
    window : int
        Side in pixels.

    Returns
    -------
    (n, window, window) ndarray of uint16
    """
    if not len(begin):
        return np.empty((0, window, window), pixels.dtype)
    pixels, begin = mirrored(pixels, begin, window)
    views = np.lib.stride_tricks.sliding_window_view(pixels, (window, window))
    return views[begin[:, 0], begin[:, 1]]


def mirrored(pixels: np.ndarray, begin: np.ndarray, window: int) -> tuple[np.ndarray, np.ndarray]:
    """An image, mirrored at its edges as far as windows hang over them.

    Parameters
    ----------
    pixels : (M, N) ndarray
        Stored image.
    begin : (n, 2) ndarray of int
        Top-left pixels of at least one window.
    window : int
        Side in pixels.

    Returns
    -------
    pixels : (M', N') ndarray
        `pixels` itself where no window hangs over.
    begin : (n, 2) ndarray of int
        Top-left pixels of the same windows in it, none negative.
    """
    before = np.maximum(-begin.min(axis=0), 0)
    after = np.maximum(begin.max(axis=0) + window - pixels.shape, 0)
    if before.any() or after.any():
        pixels = np.pad(pixels, list(zip(before, after, strict=True)), mode="reflect")
    return pixels, begin + before
