"""Patches to probabilities."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Protocol

import keras
import numpy as np

from mammoflow.base import pool
from mammoflow.breasts.geometry import Geometry
from mammoflow.detection import inference
from mammoflow.detection.inference import Compiled
from mammoflow.detection.mpm import Grid
from mammoflow.networks.normalization import normalize
from mammoflow.patches import sliding_windows
from mammoflow.patches.bank import Batch
from mammoflow.patches.cutting import Image
from mammoflow.patches.sliding_windows import Windows

Tell = Callable[[Compiled], None]


class Located(Image, Protocol):
    """What a map needs of a stored image: ``images.StoredImage`` has it."""

    geometry: Geometry


def probabilities(
    model: keras.Model,
    batches: Iterable[Batch],
    normalization: str,
    precision: str = "float32",
    size: int | None = None,
    tell: Tell = lambda network: None,
) -> np.ndarray:
    """Probability that the centre of a patch lies in a mass.

    Parameters
    ----------
    model : keras.Model
        A network that `backbones.build` made, in float32.
    batches : iterable of Batch
        Patches in batches of any length; they are regrouped.
    normalization : {'gcn', 'scale'}
        What the network was trained with.
    precision : str, optional
        As `inference.compiled`.
    size : int, optional
        Patches that the network takes at once; `inference.batch` when left out.
    tell : function, optional
        Called with the compiled network, whose precision is chosen on the first patches; never without one.

    Returns
    -------
    (n,) ndarray of float32
        In the order of the patches.
    """
    found = _forward(model, batches, normalization, precision, size, tell)
    return np.concatenate([np.empty(0, np.float32), *found])


def _forward(
    model: keras.Model,
    batches: Iterable[Batch],
    normalization: str,
    precision: str,
    size: int | None,
    tell: Tell,
) -> Iterator[np.ndarray]:
    """Probabilities of `size` patches at a time.

    `inference.calls` threads normalise and compute, while batches are made in this one, a few ahead.
    """
    size = size or inference.batch()
    groups = _regrouped(batches, size)
    first = list(islice(groups, -(-inference.TRIAL // size)))
    if not first:
        return

    def normalized(group: Batch) -> np.ndarray:
        return normalize(group.patches, group.minimum, group.maximum, normalization)[..., None]

    sample = np.concatenate([normalized(group) for group in first])
    network = inference.compiled(model, precision, size, sample)
    tell(network)
    groups = chain(first, groups)
    yield from pool.ordered(lambda group: network(normalized(group)), groups, inference.calls())


def _regrouped(batches: Iterable[Batch], size: int) -> Iterator[Batch]:
    """The same patches, `size` at a time; fewer in the last group."""
    waiting: list[Batch] = []
    for batch in batches:
        waiting.append(batch)
        while sum(len(part.patches) for part in waiting) >= size:
            together = _together(waiting)
            yield _rows(together, slice(size))
            waiting = [_rows(together, slice(size, None))]
    if any(len(part.patches) for part in waiting):
        yield _together(waiting)


def _together(batches: list[Batch]) -> Batch:
    if len(batches) == 1:
        return batches[0]
    columns = zip(*((batch.patches, batch.minimum, batch.maximum) for batch in batches), strict=True)
    return Batch(*map(np.concatenate, columns))


def _rows(batch: Batch, rows: slice) -> Batch:
    return Batch(batch.patches[rows], batch.minimum[rows], batch.maximum[rows])


def sweep(image: Image, windows: Windows, size: int = 256) -> Iterator[Batch]:
    """All windows of an image that its map is made of, in raster order.

    Parameters
    ----------
    image : Image
        A stored image.
    windows : Windows
        How windows are laid.
    size : int, optional
        Most windows in a batch.

    Notes
    -----
    The paper classifies all windows of the image. Those left out change the map nowhere in the breast;
    see `patches.supporting`.

    References
    ----------
    Section 2.5, step 1.
    """
    begin = sliding_windows.begins(
        sliding_windows.supporting(image.breast, windows), image.breast.shape, windows
    )
    grey = image.pixels[image.breast]
    for start in range(0, len(begin), size):
        cuts = sliding_windows.cut(image.pixels, begin[start : start + size], windows.window)
        yield Batch(cuts, np.full(len(cuts), grey.min()), np.full(len(cuts), grey.max()))


def grids(
    model: keras.Model,
    store: Mapping[str, Located],
    image_ids: Iterable[str],
    windows: Windows,
    normalization: str,
    precision: str = "float32",
    size: int | None = None,
    tell: Tell = lambda network: None,
) -> Iterator[tuple[str, Grid]]:
    """Window probabilities of images, one image after the other.

    Parameters
    ----------
    model : keras.Model
        A network that `backbones.build` made, in float32.
    store : mapping of str to Located
        Stored images. Each is read once, and a few are in memory at a time.
    image_ids : iterable of str
        Images of the store, in the order in which they are given back.
    windows : Windows
        How windows are laid.
    normalization, precision, size, tell
        As in `probabilities`. One run of the network may hold windows of several images.

    Yields
    ------
    image_id : str
    grid : Grid

    References
    ----------
    Section 2.5, step 1.
    """
    read = deque()  # images whose windows the network has seen in part or not at all

    def sweeps() -> Iterator[Batch]:
        for image_id in image_ids:
            image = store[image_id]
            read.append(
                (image_id, image.breast, image.geometry, sliding_windows.supporting(image.breast, windows))
            )
            yield from sweep(image, windows)

    rest = np.empty(0, np.float32)
    # The empty end is for images without a window that come last.
    for found in chain(_forward(model, sweeps(), normalization, precision, size, tell), [rest]):
        rest = np.concatenate([rest, found])
        while read and (count := read[0][3].sum()) <= len(rest):
            image_id, breast, geometry, classified = read.popleft()
            values = np.zeros(classified.shape, np.float32)
            values[classified], rest = rest[:count], rest[count:]
            top, left = sliding_windows.grid(breast.shape, windows)
            yield image_id, Grid(values, top + windows.half, left + windows.half, breast, geometry)
