"""Maps images at several magnifications: the mean of what a network sees in large and in small windows.

A network answers for windows of one side, and sees little of a mass that is larger, and little in one that is
much smaller. In an image magnified by 0.5 a window covers twice the length.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from skimage import transform

from mammoflow.detection import mpm
from mammoflow.detection.mpm import Grid

# A probability counts at a place if at least this share of it was interpolated from classified windows.
_LEAST = 1e-3

Image = TypeVar("Image")
Grids = Iterator[tuple[str, Grid]]


@dataclass(frozen=True)
class Store(Mapping):
    """Images of a store, each magnified when it is read; their geometry stays that of the stored image.

    Parameters
    ----------
    images : mapping of str to Image
        Data classes with attributes ``pixels`` and ``breast``, as returned by ``image_store.open_store``.
    magnification : float
        Pixels of the result per stored pixel along each axis.
    """

    images: Mapping[str, Image]
    magnification: float

    def __getitem__(self, image_id: str) -> Image:
        image = self.images[image_id]
        shape = tuple(max(1, round(length * self.magnification)) for length in image.pixels.shape)
        pixels = transform.resize(
            image.pixels.astype(np.float32), shape, order=1, anti_aliasing=self.magnification < 1
        )
        breast = transform.resize(image.breast, shape, order=0, anti_aliasing=False)
        return replace(image, pixels=np.rint(pixels).astype(np.uint16), breast=breast)

    def __iter__(self) -> Iterator[str]:
        return iter(self.images)

    def __len__(self) -> int:
        return len(self.images)


def grids(
    mapped: Callable[[Mapping[str, Image]], Grids],
    store: Mapping[str, Image],
    magnifications: Sequence[float],
) -> Grids:
    """Yield the mean probabilities of images at several magnifications, one image after the other.

    Parameters
    ----------
    mapped : function
        Yields the grids of all images of a store, as `classification.grids` and `dense.grids` do.
    store : mapping of str to Image
        Stored images.
    magnifications : sequence of float
        One of them is 1, whose grid the result has.

    Yields
    ------
    image_id : str
    grid : Grid
    """
    others = [magnification for magnification in magnifications if magnification != 1]
    found = [mapped(store), *(mapped(Store(store, magnification)) for magnification in others)]
    for same_image in zip(*found, strict=True):
        (image_id, grid), *rest = same_image
        yield image_id, joined(grid, [other for _, other in rest])


def joined(grid: Grid, others: Sequence[Grid]) -> Grid:
    """Mean of the grids of one image at several magnifications, at the places of the first.

    Parameters
    ----------
    grid : Grid
        At magnification 1.
    others : sequence of Grid
        At other magnifications; where one has no classified window nearby, the mean is of the rest.

    Returns
    -------
    Grid
        Windows that are not classified at magnification 1 stay 0.
    """
    total, count = grid.probabilities.astype(np.float64), np.ones(grid.probabilities.shape)
    for other in others:
        values, known = _at(grid, other)
        total, count = total + values, count + known
    mean = np.where(grid.probabilities > 0, total / count, 0).astype(np.float32)
    return replace(grid, probabilities=mean)


def _at(grid: Grid, other: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of another grid at the places of a grid, and where there are any."""
    if not other.probabilities.size:
        return np.zeros(grid.probabilities.shape), np.zeros(grid.probabilities.shape, bool)
    down, across = (
        mpm.interpolation(centres, (places + 0.5) * new / old - 0.5)
        for centres, places, new, old in zip(
            (other.centres_y, other.centres_x),
            (grid.centres_y, grid.centres_x),
            other.breast.shape,
            grid.breast.shape,
            strict=True,
        )
    )
    share = down @ (other.probabilities > 0) @ across.T
    known = share >= _LEAST
    values = down @ other.probabilities.astype(np.float64) @ across.T
    return np.where(known, values / np.where(known, share, 1), 0), known
