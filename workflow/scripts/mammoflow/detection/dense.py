"""Computes the probabilities of all windows of an image in one pass of the network over the image.

A network is made of convolutions up to its head, and overlapping windows share most of their computation. The
fully convolutional copy of a network has an answer for each window of a lattice, whose step is the stride of
the network (32 pixels for most). Finer lattices take several passes over shifted images.

The answers are those of the windows, except that a window is surrounded by the zeros of its ``same``
convolutions, and here by the pixels next to it. Without such padding both are equal.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, product

import keras
import numpy as np
from keras import layers

from mammoflow.base import pool
from mammoflow.detection import inference
from mammoflow.detection.classification import Located, Tell
from mammoflow.detection.mpm import Grid
from mammoflow.networks.normalization import normalize
from mammoflow.patches import sliding_windows
from mammoflow.patches.sliding_windows import Windows

# Largest number of pixels, and of columns, of a tile. Small tiles overlap more, large ones leave the caches.
# The layers of a tile take some hundred MB.
PIXELS, COLUMNS = 2**21, 4096

# A multiple of the stride of every network, in pixels.
_FAR = 2**7 * 9 * 5 * 7

# Largest difference of a probability between a network and its convolutional copy, on one window.
_TOLERANCE = 1e-4

_POOLING = {
    layers.GlobalAveragePooling2D: layers.AveragePooling2D,
    layers.GlobalMaxPooling2D: layers.MaxPooling2D,
}


def convolutional(model: keras.Model) -> keras.Model:
    """Copy a network into one for images of any size, with an answer for each place of a window.

    Global pooling becomes pooling over the places of one window, flattening of a single place disappears, and
    dense layers are applied to every place; all other layers stay.

    Parameters
    ----------
    model : keras.Model
        A network made by `backbones.build`, in float32.

    Returns
    -------
    keras.Model
        *Input shape* ``(n, rows, columns, 1)``, normalised float32. *Output shape*
        ``(n, rows of windows, columns of windows, classes)``: the answer at place ``(i, j)`` belongs to the
        window that begins at pixel ``(i * stride, j * stride)``, see `stride`. Exact for sides of the window
        plus a multiple of the stride, because the position of ``same`` padding depends on the rest.

    Raises
    ------
    ValueError
        When a layer of the network depends on the size of its input in another way.
    """
    window = model.input_shape[1]
    try:
        copy = _of_any_size(model)
        copy.set_weights(model.get_weights())
        probe = np.random.default_rng(0).normal(size=(1, window, window, 1)).astype(np.float32)
        expected, found = (network(probe, training=False).numpy() for network in (model, copy))
        fits = found.shape[1:3] == (1, 1) and np.allclose(found[:, 0, 0], expected, atol=_TOLERANCE)
        stride(copy, window)
    except (ValueError, TypeError) as error:
        raise ValueError(f"inference.maps: {model.name} cannot make dense maps: {error}") from error
    if not fits:
        raise ValueError(
            f"inference.maps: {model.name} cannot make dense maps, because its fully convolutional copy has "
            "another answer to a single window; expected global pooling and dense layers after the last "
            "convolution"
        )
    return copy


def _of_any_size(model: keras.Model) -> keras.Model:
    image = keras.Input((None, None, model.input_shape[-1]), name=model.name)
    return keras.models.clone_model(model, input_tensors=image, clone_function=_copied)


def _copied(operation: keras.Operation) -> keras.Operation:
    if isinstance(operation, keras.Model):
        return _of_any_size(operation)
    if not isinstance(operation, layers.Layer):
        return operation
    for pooling, local in _POOLING.items():
        if isinstance(operation, pooling):
            return local(operation.input.shape[1:3], strides=1, name=operation.name)
    if isinstance(operation, layers.Flatten):
        if operation.input.shape[1:3] != (1, 1):
            raise ValueError(
                f"layer {operation.name} flattens an image of {operation.input.shape[1:3]} places"
            )
        return layers.Identity(name=operation.name)
    return type(operation).from_config(operation.get_config())


def stride(network: keras.Model, window: int) -> int:
    """Distance in pixels between neighbouring windows that a convolutional network answers for.

    Parameters
    ----------
    network : keras.Model
        A network made by `convolutional`.
    window : int
        Side of its windows in pixels.

    Raises
    ------
    ValueError
        When the network has no such constant distance.
    """
    places = network.compute_output_shape((1, window + _FAR, window + _FAR, 1))[1] - 1
    own = _FAR // places if places else 0
    if not own or network.compute_output_shape((1, window + own, window + own, 1))[1:3] != (2, 2):
        raise ValueError("the distance between its places is not constant")
    return own


def step(wanted: int, own: int) -> int:
    """The coarsest step of a dense map that is no coarser than wanted.

    Parameters
    ----------
    wanted : int
        The config key ``detection.stride``, in pixels.
    own : int
        Stride of the network in pixels; a step is a multiple or a divisor of it.

    Examples
    --------
    >>> [step(wanted, 32) for wanted in (112, 64, 56, 28, 8, 1)]
    [96, 64, 32, 16, 8, 1]
    """
    if wanted >= own:
        return wanted // own * own
    return max(divisor for divisor in range(1, wanted + 1) if own % divisor == 0)


@dataclass(frozen=True)
class _Tile:
    """Place in the grid of the windows that one pass computes, and the normalised pixels of these windows.

    Both are None after the last tile of an image.
    """

    image_id: str
    grid: Grid
    chosen: np.ndarray
    place: tuple[slice, slice] | None = None
    pixels: np.ndarray | None = None

    def fill(self, answers: np.ndarray) -> None:
        """Write the answers for chosen windows into the grid."""
        self.grid.probabilities[self.place] = np.where(self.chosen[self.place], answers, 0)


def grids(
    models: Sequence[keras.Model],
    store: Mapping[str, Located],
    image_ids: Iterable[str],
    windows: Windows,
    normalization: str,
    precision: str = "float32",
    tell: Tell = lambda network: None,
    mirrored: bool = False,
    pixels: int = PIXELS,
) -> Iterator[tuple[str, Grid]]:
    """Yield the window probabilities of images, one image after the other, as `classification.grids` does.

    Parameters
    ----------
    models, store, image_ids
        As in `classification.grids`.
    windows : Windows
        Size and placement of the windows; their stride becomes a `step` of the network.
    normalization : {'scale', 'local'}
        Normalisation that the network was trained with.
    precision : str, optional
        See `inference.compiled`; ``auto`` is tested on up to 64 windows of the first tile.
    tell : function, optional
        Called with each compiled network. It is not called if there are no windows.
    mirrored : bool, optional
        Whether each image is also shown upside down, and the mean taken.
    pixels : int, optional
        Larger images are computed in overlapping tiles of about this size, at least one window each. At the
        edge of a tile, ``same`` convolutions see zeros, as at the edge of a window.

    Yields
    ------
    image_id : str
    grid : Grid

    Raises
    ------
    ValueError
        When the network cannot make dense maps, or with ``gcn``, which is computed for each window.
    """
    if normalization == "gcn":
        raise ValueError("inference.maps: dense maps need a normalization other than 'gcn'")
    networks = [convolutional(model) for model in models]
    own = stride(networks[0], windows.window)
    windows = replace(windows, stride=step(windows.stride, own))
    tiles = _tiles(store, image_ids, windows, normalization, own, pixels)
    first = list(_until_pixels(tiles))
    if first and first[-1].pixels is not None:
        sample = _middle(first[-1].pixels, windows.window, own)
        compiled = [inference.compiled(network, precision, 1, sample) for network in networks]
        for network in compiled:
            tell(network)
    every = max(windows.stride // own, 1)

    def answers(tile: _Tile) -> tuple[_Tile, np.ndarray | None]:
        if tile.pixels is None:
            return tile, None
        return tile, inference.mean(compiled, tile.pixels, mirrored)[0, ::every, ::every]

    for tile, found in pool.ordered(answers, chain(first, tiles), inference.calls()):
        if found is None:
            yield tile.image_id, tile.grid
        else:
            tile.fill(found)


def _until_pixels(tiles: Iterator[_Tile]) -> Iterator[_Tile]:
    for tile in tiles:
        yield tile
        if tile.pixels is not None:
            return


def _middle(pixels: np.ndarray, window: int, own: int) -> np.ndarray:
    """A part of a tile with up to `inference.TRIAL` windows."""
    side = window + (math.isqrt(inference.TRIAL) - 1) * own
    y, x = (max(length - side, 0) // 2 for length in pixels.shape[1:3])
    return pixels[:, y : y + side, x : x + side]


def _tiles(
    store: Mapping[str, Located],
    image_ids: Iterable[str],
    windows: Windows,
    normalization: str,
    own: int,
    most: int,
) -> Iterator[_Tile]:
    for image_id in image_ids:
        image = store[image_id]
        top, left = sliding_windows.grid(image.breast.shape, windows)
        chosen = sliding_windows.supporting(image.breast, windows)
        values = np.zeros(chosen.shape, np.float32)
        grid = Grid(values, top + windows.half, left + windows.half, image.breast, image.geometry)
        if chosen.any():
            pixels, shift = _extended(
                image, sliding_windows.begins(chosen, image.breast.shape, windows), windows
            )
            normalized = _normalized(pixels, image, normalization)
            for rows, columns in _passes(chosen, windows, own, most):
                (y0, y1), (x0, x1) = (
                    (begin[0] + offset, begin[-1] + offset + windows.window)
                    for begin, offset in zip((top[rows], left[columns]), shift, strict=True)
                )
                yield _Tile(image_id, grid, chosen, (rows, columns), normalized[None, y0:y1, x0:x1, None])
        yield _Tile(image_id, grid, chosen)


def _extended(image: Located, begin: np.ndarray, windows: Windows) -> tuple[np.ndarray, np.ndarray]:
    """The image, mirrored where windows extend beyond it, and the place of its first pixel in the result."""
    pixels, moved = sliding_windows.mirrored(image.pixels, begin, windows.window)
    return pixels, (moved - begin)[0]


def _normalized(pixels: np.ndarray, image: Located, normalization: str) -> np.ndarray:
    grey = image.pixels[image.breast]
    return normalize(pixels[None], grey.min(keepdims=True), grey.max(keepdims=True), normalization)[0].numpy()


def _passes(chosen: np.ndarray, windows: Windows, own: int, most: int) -> Iterator[tuple[slice, slice]]:
    """Rows and columns of the grid for each pass; together they hold all chosen windows.

    A step finer than the network's stride takes several passes, each over the image shifted by a step.
    """
    apart = max(own // windows.stride, 1)
    distance = windows.stride * apart
    for first_row, first_column in product(range(apart), repeat=2):
        across = _fitting(COLUMNS, windows.window, distance)
        for columns in _parts(chosen.any(axis=0), first_column, apart, across):
            width = windows.window + (columns.stop - 1 - columns.start) // apart * distance
            down = _fitting(most // width, windows.window, distance)
            for rows in _parts(chosen[:, columns].any(axis=1), first_row, apart, down):
                yield rows, columns


def _fitting(length: int, window: int, distance: int) -> int:
    """Number of windows that fit into a length; at least one."""
    return max((length - window) // distance + 1, 1)


def _parts(held: np.ndarray, first: int, apart: int, most: int) -> Iterator[slice]:
    """Divide every `apart`-th place, between the first and the last that is held, into similar parts."""
    places = np.arange(first, len(held), apart)
    places = places[held[places]]
    if len(places):
        span = np.arange(places[0], places[-1] + 1, apart)
        for part in np.array_split(span, math.ceil(len(span) / most)):
            yield slice(int(part[0]), int(part[-1]) + 1, apart)
