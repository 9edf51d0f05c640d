"""Places sliding windows on a mammogram, labels them and cuts their pixels.

The central pixel of a window is decisive (section 2.2 of [1]_): the window is used if this pixel lies
in the breast, and it is positive if this pixel lies in a mass. Or else, as [1]_ proposes for future work, it
is positive if enough of it is mass.

References
----------
.. [1] Agarwal et al., "Automatic mass detection in mammograms using deep convolutional neural
   networks", Journal of Medical Imaging 6(3), 031409 (2019).
"""

from dataclasses import dataclass

import numpy as np

EDGES = ("inside", "centred")
LABELS = ("centre", "fraction")

# A window has the label of a mass, with `fraction`, if it shows this share of what it could show of the mass.
_SHARE = 0.5


@dataclass(frozen=True)
class Windows:
    """Size and placement of windows on an image.

    Parameters
    ----------
    window : int
        Side in pixels; 224 in the paper.
    stride : int
        Distance between neighbouring windows in pixels; 56 in the paper.
    edge : {'inside', 'centred'}
        ``inside``: windows lie entirely inside the stored image, as in the paper. ``centred``: window
        centres cover the entire stored image, so that masses at the chest wall are covered as well;
        window pixels outside the image are filled by mirroring at its edge. (Filling them with zeros
        would create the strongest contrast of the patch and dominate its global contrast normalisation.)
    label : {'centre', 'fraction'}, optional
        ``centre``: a window is positive if its central pixel lies in a mass, as in the paper. ``fraction``:
        if it shows at least half of what a window of its size could show of a mass, that is half of the
        mass or, of a mass larger than the window, as many pixels as half of the window.
    """

    window: int
    stride: int
    edge: str
    label: str = "centre"

    def __post_init__(self) -> None:
        if self.window < 1 or self.stride < 1:
            raise ValueError(
                "patches: expected window and stride of at least 1 pixel, "
                f"got window={self.window}, stride={self.stride}"
            )
        if self.edge not in EDGES:
            raise ValueError(f"patches.edge: expected one of {', '.join(EDGES)}, got {self.edge!r}")
        if self.label not in LABELS:
            raise ValueError(f"patches.label: expected one of {', '.join(LABELS)}, got {self.label!r}")

    @property
    def half(self) -> int:
        """Offset of the central pixel from a window's top-left pixel."""
        return self.window // 2


def grid(shape: tuple[int, int], windows: Windows) -> tuple[np.ndarray, np.ndarray]:
    """First rows and columns of the grid of windows.

    Parameters
    ----------
    shape : (M, N)
        Shape of the stored image.
    windows : Windows
        Size and placement of the windows.

    Returns
    -------
    top : (GY,) ndarray of int32
        First rows of the windows, ascending; negative if ``centred`` windows extend beyond the edge.
        Add ``windows.half`` to get the central pixels.
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
    """First pixels of windows with centres `stride` apart and equal margins, to a pixel, at both ends."""
    rest = (length - 1) % windows.stride
    return np.arange(rest // 2, length, windows.stride, dtype=np.int32) - windows.half


def in_breast(breast: np.ndarray, windows: Windows) -> np.ndarray:
    """Which windows of the grid have their central pixel in the breast.

    Parameters
    ----------
    breast : (M, N) ndarray of bool
        Breast region.
    windows : Windows
        Size and placement of the windows.

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
        Size and placement of the windows.

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
        The result of `in_breast` or `supporting`.
    shape : (M, N)
        Shape of the stored image.
    windows : Windows
        Size and placement of the windows.

    Returns
    -------
    (n, 2) ndarray of int32
        Rows ``(y, x)`` in raster order.
    """
    top, left = grid(shape, windows)
    row, column = np.nonzero(chosen)
    return np.stack([top[row], left[column]], axis=1)


def supporting(breast: np.ndarray, windows: Windows) -> np.ndarray:
    """Which windows of the grid are needed to interpolate a map of the breast.

    A pixel is interpolated from the windows whose centres are the corners of its grid cell. A window is
    therefore needed if one of the cells around its centre holds a breast pixel, even if the centre itself
    lies outside the breast. The outermost cells extend to the edge of the image.

    Parameters
    ----------
    breast : (M, N) ndarray of bool
        Breast region.
    windows : Windows
        Size and placement of the windows.

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
    # Cells begin at the edge of the image and at each centre: there is one more cell than centres.
    held = np.logical_or.reduceat(breast, np.append(0, top + windows.half), axis=0)
    held = np.logical_or.reduceat(held, np.append(0, left + windows.half), axis=1)
    return held[:-1, :-1] | held[1:, :-1] | held[:-1, 1:] | held[1:, 1:]


def lesions(label_map: np.ndarray, begin: np.ndarray, windows: Windows) -> np.ndarray:
    """The mass that each window has the label of; the window is positive if there is one.

    Parameters
    ----------
    label_map : (M, N) ndarray of uint8
        Label map of the masses, 0 outside.
    begin : (n, 2) ndarray of int
        Top-left pixels, from `positions`.
    windows : Windows
        Size and placement of the windows.

    Returns
    -------
    (n,) ndarray of uint8
        The number of the mass, 0 for none. Of several masses with enough of them in a window, the one of the
        larger share.
    """
    if windows.label == "fraction":
        return _by_fraction(label_map, begin, windows.window)
    centre = begin + windows.half
    return label_map[centre[:, 0], centre[:, 1]]


def _by_fraction(label_map: np.ndarray, begin: np.ndarray, window: int) -> np.ndarray:
    found, most = np.zeros(len(begin), label_map.dtype), np.full(len(begin), np.nextafter(_SHARE, 0))
    y0, x0 = np.clip(begin, 0, None).T
    y1, x1 = np.minimum(begin + window, label_map.shape).T
    for lesion in range(1, int(label_map.max(initial=0)) + 1):
        mass = label_map == lesion
        before = np.pad(mass.cumsum(axis=0, dtype=np.int64).cumsum(axis=1), ((1, 0), (1, 0)))
        shown = before[y1, x1] - before[y0, x1] - before[y1, x0] + before[y0, x0]
        share = shown / min(max(before[-1, -1], 1), window**2)
        better = share > most
        found[better], most[better] = lesion, share[better]
    return found


def within_breast(breast: np.ndarray, begin: np.ndarray, windows: Windows) -> np.ndarray:
    """Whether each window lies entirely in the breast; the others are border windows.

    A ``centred`` window may extend beyond the edge of the stored image, where the image ends but the breast
    does not. Only its pixels inside the image are considered.

    Parameters
    ----------
    breast : (M, N) ndarray of bool
        Breast region.
    begin : (n, 2) ndarray of int
        Top-left pixels, from `positions`.
    windows : Windows
        Size and placement of the windows.

    Returns
    -------
    (n,) ndarray of bool
    """
    y0, x0 = np.clip(begin, 0, None).T
    y1, x1 = np.minimum(begin + windows.window, breast.shape).T
    # Count the pixels outside the breast once for each cell between the lines where windows begin or end.
    rows, columns = (np.unique(np.concatenate([[0], *edges])) for edges in ((y0, y1), (x0, x1)))
    rows, columns = rows[rows < breast.shape[0]], columns[columns < breast.shape[1]]
    counted = np.add.reduceat(~breast, rows, axis=0, dtype=np.int32)
    counted = np.add.reduceat(counted, columns, axis=1)
    outside = np.pad(counted.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    y0, y1 = np.searchsorted(rows, [y0, y1])
    x0, x1 = np.searchsorted(columns, [x0, x1])
    return outside[y1, x1] - outside[y0, x1] - outside[y1, x0] + outside[y0, x0] == 0


def cut(pixels: np.ndarray, begin: np.ndarray, window: int) -> np.ndarray:
    """Cut the pixels of windows from an image.

    Parameters
    ----------
    pixels : (M, N) ndarray of uint16
        Stored image.
    begin : (n, 2) ndarray of int
        Top-left pixels; where a window extends beyond the edge, the image is mirrored.
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
    """Extend an image by mirroring at its edges so that all windows lie inside.

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
        The extended image; `pixels` itself if no window extends beyond its edges.
    begin : (n, 2) ndarray of int
        Top-left pixels of the same windows in the extended image, none negative.
    """
    before = np.maximum(-begin.min(axis=0), 0)
    after = np.maximum(begin.max(axis=0) + window - pixels.shape, 0)
    if before.any() or after.any():
        pixels = np.pad(pixels, list(zip(before, after, strict=True)), mode="reflect")
    return pixels, begin + before
