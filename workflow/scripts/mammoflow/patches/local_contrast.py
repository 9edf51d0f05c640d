"""Normalises the contrast of an image around each pixel, as the normalisation `local`.

From each pixel the mean of the window around it is subtracted, and the result is divided by the standard
deviation in this window. The central pixel of a window thus has the value that global contrast normalisation
of the window gives it, but windows that overlap agree in every pixel that they share.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

import numpy as np

from mammoflow.base.machine_code import compiled

Image = TypeVar("Image")

# Values are stored as whole numbers: so many for a standard deviation, and this one for 0. Values of 32
# standard deviations and more are clipped.
STEPS, ZERO = 1024, 2**15

# A window counts as constant if the standard deviation of its grey values (integers) is below this.
_FLOOR = 1e-3


def normalized(pixels: np.ndarray, window: int) -> np.ndarray:
    """Normalise the contrast of an image around each pixel.

    Parameters
    ----------
    pixels : (M, N) ndarray of uint16
        Stored image; it is mirrored at its edges, as for windows that extend beyond it.
    window : int
        Side of the window around a pixel, which is its central pixel as in `sliding_windows`.

    Returns
    -------
    (M, N) ndarray of uint16
        ``(pixel - mean) / deviation * STEPS + ZERO``, rounded; `ZERO` where the window is constant.

    Examples
    --------
    >>> (normalized(np.array([[1, 3, 1, 3, 1, 3]], np.uint16), 2).astype(int) - ZERO) / STEPS
    array([[-1.,  1., -1.,  1., -1.,  1.]])
    """
    values = np.empty(pixels.shape, np.uint16)
    rows, columns = (_mirrored(length, window) for length in pixels.shape)
    # The mean of squares minus the square of the mean is accurate around 0 only.
    _normalize(pixels, rows, columns, window, round(float(pixels.mean())), values)
    return values


def _mirrored(length: int, window: int) -> np.ndarray:
    """For each place that the windows of a row or column cover, the pixel that lies there or is mirrored."""
    period = max(2 * (length - 1), 1)
    places = np.arange(length + window - 1) - window // 2
    return np.minimum(places % period, -places % period)


@compiled
def _normalize(pixels, rows, columns, window, centre, values):  # noqa: ANN001, ANN202
    """Sums over a window follow from those of the one before, in whole numbers, so they stay exact."""
    height, width = pixels.shape
    down, down_squared = np.zeros(width, np.int64), np.zeros(width, np.int64)
    total, squares = np.empty(width, np.int64), np.empty(width, np.int64)
    for row in rows[:window]:
        _add(pixels[row], centre, 1, down, down_squared)
    for y in range(height):
        if y:
            _add(pixels[rows[y + window - 1]], centre, 1, down, down_squared)
            _add(pixels[rows[y - 1]], centre, -1, down, down_squared)
        _slide(down, columns, window, total)
        _slide(down_squared, columns, window, squares)
        _contrast(pixels[y], centre, window * window, total, squares, values[y])


@compiled
def _add(row, centre, sign, down, down_squared):  # noqa: ANN001, ANN202
    for x in range(len(row)):
        grey = np.int64(row[x]) - centre
        down[x] += sign * grey
        down_squared[x] += sign * grey * grey


@compiled
def _slide(down, columns, window, sums):  # noqa: ANN001, ANN202
    one = np.int64(0)
    for x in range(window - 1):
        one += down[columns[x]]
    for x in range(len(sums)):
        one += down[columns[x + window - 1]]
        sums[x] = one
        one -= down[columns[x]]


@compiled
def _contrast(row, centre, count, total, squares, values):  # noqa: ANN001, ANN202
    for x in range(len(row)):
        mean = total[x] / count
        deviation = np.sqrt(max(squares[x] / count - mean * mean, 0.0))
        contrast = (np.int64(row[x]) - centre - mean) / deviation if deviation >= _FLOOR else 0.0
        values[x] = np.uint16(min(max(np.rint(contrast * STEPS) + ZERO, 0.0), 65535.0))


class Store(Mapping):
    """Images of a store with the contrast of each normalised by `normalized` when it is read.

    Parameters
    ----------
    images : mapping of str to Image
        Data classes with an attribute ``pixels``, as returned by ``image_store.open_store``.
    window : int
        Side of the windows in pixels.
    """

    def __init__(self, images: Mapping[str, Image], window: int) -> None:
        self._images, self._window = images, window

    def __getitem__(self, image_id: str) -> Image:
        image = self._images[image_id]
        return replace(image, pixels=normalized(image.pixels, self._window))

    def __iter__(self) -> Iterator[str]:
        return iter(self._images)

    def __len__(self) -> int:
        return len(self._images)


def of(images: Mapping[str, Image], normalization: str, window: int) -> Mapping[str, Image]:
    """The images that patches are cut from: `images` themselves unless the normalisation is ``local``.

    Parameters
    ----------
    images : mapping of str to Image
        Stored images.
    normalization : str
        The config key ``normalization`` of the model.
    window : int
        Side of the windows in pixels.
    """
    return Store(images, window) if normalization == "local" else images
