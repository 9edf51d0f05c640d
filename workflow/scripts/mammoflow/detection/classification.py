"""Computes mass probabilities of patches and of all windows of an image."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
    """The attributes of a stored image that a map needs, as in ``image_store.StoredImage``."""

    geometry: Geometry


def probabilities(
    models: Sequence[keras.Model],
    batches: Iterable[Batch],
    normalization: str,
    precision: str = "float32",
    size: int | None = None,
    tell: Tell = lambda network: None,
) -> np.ndarray:
    """Probability that the centre of a patch lies in a mass, the mean over networks.

    Parameters
    ----------
    models : sequence of keras.Model
        Networks made by `backbones.build`, in float32, for the same patches and normalisation.
    batches : iterable of Batch
        Patches in batches of any length; they are regrouped.
    normalization : {'gcn', 'scale', 'local'}
        Normalisation that the networks were trained with.
    precision : str, optional
        See `inference.compiled`.
    size : int, optional
        Number of patches per call of a network; `inference.batch` by default.
    tell : function, optional
        Called with each compiled network, whose precision is chosen using the first patches. It is not
        called if there are no patches.

    Returns
    -------
    (n,) ndarray of float32
        In the order of the patches.
    """
    groups = _forward(models, batches, normalization, precision, size, tell)
    return np.concatenate([np.empty(0, np.float32), *groups])


def _forward(
    models: Sequence[keras.Model],
    batches: Iterable[Batch],
    normalization: str,
    precision: str,
    size: int | None,
    tell: Tell,
    mirrored: bool = False,
) -> Iterator[np.ndarray]:
    """Yield mean probabilities of the models for `size` patches at a time.

    `inference.calls` threads normalise and compute, while this thread prepares a few batches in advance.
    """
    size = size or inference.batch()
    groups = _regrouped(batches, size)
    first = list(islice(groups, -(-inference.TRIAL // size)))
    if not first:
        return

    def normalized(group: Batch) -> np.ndarray:
        return normalize(group.patches, group.minimum, group.maximum, normalization)[..., None]

    sample = np.concatenate([normalized(group) for group in first])
    networks = [inference.compiled(model, precision, size, sample) for model in models]
    for network in networks:
        tell(network)
    yield from pool.ordered(
        lambda group: inference.mean(networks, normalized(group), mirrored),
        chain(first, groups),
        inference.calls(),
    )


def _regrouped(batches: Iterable[Batch], size: int) -> Iterator[Batch]:
    """Regroup patches into batches of `size`; the last batch may be smaller."""
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
    """Cut all windows that the map of an image needs, in raster order.

    Parameters
    ----------
    image : Image
        A stored image.
    windows : Windows
        Size and placement of the windows.
    size : int, optional
        Maximum number of windows per batch.

    Notes
    -----
    The paper classifies all windows of the image. The windows excluded here do not change the map inside
    the breast; see `sliding_windows.supporting`.

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
    models: Sequence[keras.Model],
    store: Mapping[str, Located],
    image_ids: Iterable[str],
    windows: Windows,
    normalization: str,
    precision: str = "float32",
    size: int | None = None,
    tell: Tell = lambda network: None,
    mirrored: bool = False,
) -> Iterator[tuple[str, Grid]]:
    """Yield the window probabilities of images, one image after the other.

    Parameters
    ----------
    models : sequence of keras.Model
        Networks made by `backbones.build`, in float32, for the same windows and normalisation. The grids
        hold their mean.
    store : mapping of str to Located
        Stored images; for ``local``, those of `local_contrast.of`. Each is read once, and only a few are in
        memory at a time.
    image_ids : iterable of str
        Images of the store, in the order of the results.
    windows : Windows
        Size and placement of the windows.
    normalization, precision, size, tell
        As in `probabilities`. One call of a network may process windows of several images.
    mirrored : bool, optional
        Whether each window is classified upside down as well, and the mean taken.

    Yields
    ------
    image_id : str
    grid : Grid

    References
    ----------
    Section 2.5, step 1.
    """
    read = deque()  # images of which not all windows have been classified yet

    def sweeps() -> Iterator[Batch]:
        for image_id in image_ids:
            image = store[image_id]
            read.append(
                (image_id, image.breast, image.geometry, sliding_windows.supporting(image.breast, windows))
            )
            yield from sweep(image, windows)

    rest = np.empty(0, np.float32)
    # The empty group at the end is for images without windows at the end of the list.
    for group in chain(_forward(models, sweeps(), normalization, precision, size, tell, mirrored), [rest]):
        rest = np.concatenate([rest, group])
        while read and (count := read[0][3].sum()) <= len(rest):
            image_id, breast, geometry, classified = read.popleft()
            values = np.zeros(classified.shape, np.float32)
            values[classified], rest = rest[:count], rest[count:]
            top, left = sliding_windows.grid(breast.shape, windows)
            yield image_id, Grid(values, top + windows.half, left + windows.half, breast, geometry)
