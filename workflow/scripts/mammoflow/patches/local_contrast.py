"""Normalises the contrast of an image around each pixel, as the normalisation `local`.

From each pixel the mean of the window around it is subtracted, and the result is divided by the standard
deviation in this window. The central pixel of a window thus has the value that global contrast normalisation
of the window gives it, but windows that overlap agree in every pixel that they share.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

import numpy as np
from scipy import ndimage

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
    # The mean of squares minus the square of the mean is only accurate around 0.
    centred = pixels - pixels.mean()
    mean, squares = (ndimage.uniform_filter(each, window, mode="mirror") for each in (centred, centred**2))
    # In place: allocating arrays of this size takes longer than computing with them.
    squares -= mean**2
    deviation = np.sqrt(np.maximum(squares, 0, out=squares), out=squares)
    constant = deviation < _FLOOR
    deviation[constant] = 1
    values = np.subtract(centred, mean, out=centred)
    values /= deviation
    values[constant] = 0
    values *= STEPS
    np.rint(values, out=values)
    values += ZERO
    return np.clip(values, 0, 2**16 - 1, out=values).astype(np.uint16)


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
