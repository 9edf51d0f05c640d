"""Writes the patch bank of a data set: chooses windows for every fold and cuts each of them once."""

import hashlib
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import h5py
import numpy as np

from mammoflow.base import pool, seeds, storage
from mammoflow.patches import chunks, sampling, sliding_windows
from mammoflow.patches.bank import FITTED, PARTS

# Largest number of images that a message names.
_NAMED = 5

# Most windows that are cut from an image and compressed before they are written.
_BLOCK = 256


class Regions(Protocol):
    """What of a stored image decides where its windows lie, as in ``image_store.Regions``.

    It is declared here so that training, which reads banks, does not depend on how images are prepared.
    """

    breast: np.ndarray
    lesions: np.ndarray
    masses: int


class Image(Regions, Protocol):
    """The attributes of a stored image that a bank needs, as in ``image_store.StoredImage``."""

    pixels: np.ndarray


@dataclass(frozen=True)
class Count:
    """Numbers of images and patches in one part of a bank.

    Parameters
    ----------
    images : int
        Number of images.
    positives, negatives : int
        Number of patches.
    short : int
        Number of negatives missing because the images have too few windows.
    unfit : dict of str to str
        Images without any window, or without windows to draw negatives from, and the size that is too small.
    """

    images: int
    positives: int
    negatives: int
    short: int
    unfit: dict[str, str]

    def why(self, windows: sliding_windows.Windows) -> str:
        """List of the unfit images, to be appended to a message; empty if there are none."""
        if not self.unfit:
            return ""
        named = [f"{image_id} ({size})" for image_id, size in itertools.islice(self.unfit.items(), _NAMED)]
        more = f" and {len(self.unfit) - _NAMED} more" if len(self.unfit) > _NAMED else ""
        side = f"{windows.window}×{windows.window}"
        return f"; windows of {side} pixels do not fit into {', '.join(named)}{more}"


def write(
    path: str | Path,
    folds: Mapping[int, Mapping[str, Sequence[str]]],
    regions: Mapping[str, Regions],
    images: Mapping[str, Image],
    windows: sliding_windows.Windows,
    policy: str,
    seed: Sequence[str | int],
    workers: int = 1,
) -> dict[int, dict[str, Count]]:
    """Write the bank of a data set, image by image.

    Every image is read once, for all folds, or once for every 256 of its windows. Memory holds the positions
    of the windows that each fold uses (8 bytes each), which others could be (a bit each), and for each worker
    an image and a few blocks of patches, whatever the size of the bank.

    Parameters
    ----------
    path : str or Path
        The file to write.
    folds : mapping of int to mapping of str to sequence of str
        For each fold, the image ids of each of `PARTS`.
    regions : mapping of str to Regions
        Breasts and masses by image id, as returned by ``image_store.open_regions``.
    images : mapping of str to Image
        Stored images by id, as returned by ``image_store.open_store``.
    windows : sliding_windows.Windows
        Size and placement of the windows.
    policy : {'mass-images', 'normal-images', 'all-images'}
        Images that negatives are drawn from; see `sampling.share`.
    seed : sequence of str or int
        Root seed and labels, passed to `seeds.generator` with the fold.
    workers : int, optional
        Processes that read images, and cut and compress their patches; the file does not depend on it.

    Returns
    -------
    dict of int to dict of str to Count
        Numbers of images and patches in each part of each fold.

    Raises
    ------
    ValueError
        When training or validation of a fold would lack one of the classes.
    """
    image_ids = sorted({each for parts in folds.values() for part in PARTS for each in parts[part]})
    offered = pool.in_processes(lambda each: _offer(each, regions[each], windows, policy), image_ids, workers)
    offers = dict(zip(image_ids, offered, strict=True))
    chosen, counts = {}, {fold: {} for fold in folds}
    for fold, part in itertools.product(folds, PARTS):
        offered = [offers[image_id] for image_id in folds[fold][part]]
        where = f"{part} part of fold {fold}"
        drawn = _draw(offered, windows, policy, where, (*seed, str(fold), part))
        chosen[f"fold-{fold}/{part}"], count = drawn
        if part != "test" and not (count.positives and count.negatives):
            raise ValueError(
                f"{path}: expected positive and negative patches in the {where}, got {count.positives} "
                f"and {count.negatives} from {count.images} images{count.why(windows)}"
            )
        counts[fold][part] = count
    union = _union(chosen.values())
    with storage.create_hdf5(path) as file:
        written = _fill(file, list(union.items()), images, windows, workers)
        for name, drawn in chosen.items():
            _select(file, name, _rows(union, drawn), written)
        file.attrs.update(window=windows.window, stride=windows.stride, edge=windows.edge, negatives=policy)
    return counts


@dataclass(frozen=True)
class Negatives:
    """Windows of one image without a mass that a network takes for one.

    Parameters
    ----------
    image_id : str
        Identifier of the image.
    begin : (n, 2) ndarray of int32
        Top-left pixels in the stored image.
    scores : (n,) ndarray of float32
        Probability of a mass that the network gives to each.
    """

    image_id: str
    begin: np.ndarray
    scores: np.ndarray


def write_negatives(
    path: str | Path,
    parts: Mapping[str, Sequence[Negatives]],
    images: Mapping[str, Image],
    windows: sliding_windows.Windows,
) -> None:
    """Write hard negatives in the layout of a bank, with their scores.

    Parameters
    ----------
    path : str or Path
        The file to write.
    parts : mapping of str to sequence of Negatives
        Windows of each part in `bank.FITTED`, image by image; those without a window may be among them.
    images, windows
        As in `write`.
    """
    found = {part: [each for each in parts[part] if len(each.begin)] for part in FITTED}
    every = list(itertools.chain(*found.values()))
    sizes = [sum(len(each.begin) for each in found[part]) for part in FITTED]
    scores = np.concatenate([np.empty(0, np.float32), *(each.scores for each in every)])
    with storage.create_hdf5(path) as file:
        drawn = [(each.image_id, each.begin) for each in every]
        # In this process, and in one thread: TensorFlow, which has found them, does not survive a fork, and
        # they are few.
        written = _fill(file, drawn, images, windows, workers=1, score=scores)
        for part, end, size in zip(FITTED, np.cumsum(sizes), sizes, strict=True):
            _select(file, part, np.arange(end - size, end), written)
        file.attrs.update(window=windows.window, stride=windows.stride, edge=windows.edge)


@dataclass(frozen=True)
class _Offer:
    """Windows of an image that a bank may use.

    Parameters
    ----------
    image_id : str
        Identifier of the image.
    shape : (M, N)
        Shape of the image.
    positive : (n, 2) ndarray of int32
        Top-left pixels of the windows with a mass.
    drawable : int
        Number of windows that negatives may be drawn from.
    places : ndarray of uint8
        Which windows of the grid these are, eight in a byte: of a large archive, all their positions would
        take gigabytes.
    masses : bool
        Whether the image has a mass.
    unfit : str
        Empty, or the size of the image or breast if it is too small for windows.
    """

    image_id: str
    shape: tuple[int, int]
    positive: np.ndarray
    drawable: int
    places: np.ndarray
    masses: bool
    unfit: str

    def drawn(self, numbers: np.ndarray, windows: sliding_windows.Windows) -> np.ndarray:
        """Top-left pixels of drawable windows, by their numbers in raster order from 0."""
        size = tuple(map(len, sliding_windows.grid(self.shape, windows)))
        places = np.unpackbits(self.places, count=size[0] * size[1]).astype(bool).reshape(size)
        return sliding_windows.begins(places, self.shape, windows)[numbers]


def _offer(image_id: str, image: Regions, windows: sliding_windows.Windows, policy: str) -> _Offer:
    places = sliding_windows.in_breast(image.breast, windows)
    begin = sliding_windows.begins(places, image.breast.shape, windows)
    positive = sliding_windows.lesions(image.lesions, begin, windows) > 0
    drawable = negative = ~positive
    if policy == "mass-images":
        drawable = negative & sliding_windows.within_breast(image.breast, begin, windows)
    masses = image.masses > 0
    source = policy == "all-images" or masses == (policy == "mass-images")
    lacking = not len(begin) or (source and negative.any() and not drawable.any())
    unfit = _size(image.breast, windows) if lacking else ""
    places[places] = drawable
    return _Offer(
        image_id,
        image.breast.shape,
        begin[positive],
        np.count_nonzero(drawable),
        np.packbits(places),
        masses,
        unfit,
    )


def _size(breast: np.ndarray, windows: sliding_windows.Windows) -> str:
    """The size of the image or breast that is too small for windows, in words."""
    if not all(map(len, sliding_windows.grid(breast.shape, windows))):
        return "image of {}×{} pixels".format(*breast.shape)
    rows, columns = (np.flatnonzero(breast.any(axis)) for axis in (1, 0))
    return f"breast of {np.ptp(rows) + 1}×{np.ptp(columns) + 1} pixels" if len(rows) else "empty breast"


def _supply(offers: Sequence[_Offer]) -> sampling.Supply:
    counts = [(len(offer.positive), offer.drawable, offer.masses) for offer in offers]
    rows = np.array(counts, np.int64).reshape(-1, 3)
    return sampling.Supply(rows[:, 0], rows[:, 1], rows[:, 2].astype(bool))


def _draw(
    offers: Sequence[_Offer],
    windows: sliding_windows.Windows,
    policy: str,
    where: str,
    seed: Sequence[str | int],
) -> tuple[dict[str, np.ndarray], Count]:
    """Draw the windows of one part of a fold: top-left pixels by image id, in raster order."""
    supply = _supply(offers)
    try:
        negatives, short = sampling.share(supply, policy, seeds.generator(*seed))
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    drawn = {}
    for offer, count in zip(offers, negatives, strict=True):
        generator = seeds.generator(*seed, offer.image_id)
        chosen = generator.choice(offer.drawable, count, replace=False)
        begin = np.concatenate([offer.positive, offer.drawn(chosen, windows)])
        if len(begin):
            drawn[offer.image_id] = begin[np.lexsort(begin.T[::-1])]
    unfit = {offer.image_id: offer.unfit for offer in offers if offer.unfit}
    return drawn, Count(len(offers), int(supply.positives.sum()), int(negatives.sum()), short, unfit)


def _union(drawn: Iterable[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Windows that any part uses, by image id in order; those of an image in raster order."""
    begins: dict[str, list[np.ndarray]] = {}
    for image_id, begin in itertools.chain.from_iterable(part.items() for part in drawn):
        begins.setdefault(image_id, []).append(begin)
    return {image_id: np.unique(np.concatenate(begins[image_id]), axis=0) for image_id in sorted(begins)}


def _rows(union: Mapping[str, np.ndarray], drawn: Mapping[str, np.ndarray]) -> np.ndarray:
    """Rows of drawn windows in the order of `union`, ascending."""
    rows, first = [np.empty(0, np.int64)], 0
    for image_id, begin in union.items():
        if image_id in drawn:
            rows.append(first + np.flatnonzero(_among(begin, drawn[image_id])))
        first += len(begin)
    return np.concatenate(rows)


def _among(begin: np.ndarray, some: np.ndarray) -> np.ndarray:
    """Whether each window is one of some, all of one image."""
    y, x = begin.min(axis=0)
    columns = int(begin[:, 1].max()) - x + 1
    return np.isin(*((each[:, 0].astype(np.int64) - y) * columns + each[:, 1] - x for each in (begin, some)))


@dataclass(frozen=True)
class _Written:
    """What the digest of a part covers: checksums of patches, (n,) uint32, and the other columns."""

    checksums: np.ndarray
    columns: dict[str, np.ndarray]


@dataclass(frozen=True)
class _Cut:
    """Patches of an image: encoded, with the masses that they show, (n,) uint8, and its grey-value range."""

    encoded: list[bytes]
    lesions: np.ndarray
    minimum: int
    maximum: int


def _cut(image: Image, begin: np.ndarray, windows: sliding_windows.Windows) -> _Cut:
    breast = image.pixels[image.breast]
    pixels, places = sliding_windows.mirrored(image.pixels, begin, windows.window)
    views = np.lib.stride_tricks.sliding_window_view(pixels, (windows.window, windows.window))
    return _Cut(
        [chunks.encode(views[y, x]) for y, x in places],
        sliding_windows.lesions(image.lesions, begin, windows),
        breast.min(),
        breast.max(),
    )


def _fill(
    file: h5py.File,
    drawn: Sequence[tuple[str, np.ndarray]],
    images: Mapping[str, Image],
    windows: sliding_windows.Windows,
    workers: int,
    **more: np.ndarray,
) -> _Written:
    """Cut windows, image by image; `more` are additional columns, with a value for each window."""
    group = file.create_group("windows")
    blocks = [
        (image_id, begin[start : start + _BLOCK])
        for image_id, begin in drawn
        for start in range(0, len(begin), _BLOCK)
    ]
    sizes = [len(begin) for _, begin in blocks]
    array = chunks.create(group, "patches", sum(sizes), (windows.window, windows.window), np.uint16)

    def cut(block: tuple[str, np.ndarray]) -> _Cut:
        image_id, begin = block
        return _cut(images[image_id], begin, windows)

    checksums, lesions, ranges, row = [], [np.empty(0, np.uint8)], np.zeros((len(blocks), 2), np.uint16), 0
    # The first block is cut in this process: what Numba compiles for it is there when others are forked.
    cuts = itertools.chain(map(cut, blocks[:1]), pool.in_processes(cut, blocks[1:], workers))
    for grey, found in zip(ranges, cuts, strict=True):
        grey[:] = found.minimum, found.maximum
        lesions.append(found.lesions)
        checksums.extend(map(chunks.checksum, found.encoded))
        chunks.put(array, row, found.encoded)
        row += len(found.encoded)

    # Strings of fixed length are stored in the array itself and are therefore covered by its checksum.
    names = np.array([image_id.encode() for image_id, _ in blocks] or [b" "])[: len(blocks)]
    begin = np.concatenate([np.empty((0, 2), np.int32), *(begin for _, begin in blocks)])
    minimum, maximum = np.repeat(ranges, sizes, axis=0).T
    lesion = np.concatenate(lesions)
    columns = {
        "labels": (lesion > 0).astype(np.uint8),
        "lesion": lesion,
        "image_id": np.repeat(names, sizes).astype(h5py.string_dtype(length=names.itemsize)),
        "y": begin[:, 0].copy(),
        "x": begin[:, 1].copy(),
        "image_minimum": minimum.copy(),
        "image_maximum": maximum.copy(),
        **more,
    }
    for name, column in columns.items():
        _store(group, name, column)
    return _Written(np.frombuffer(b"".join(checksums), np.uint32), columns)


def _select(file: h5py.File, name: str, rows: np.ndarray, written: _Written) -> None:
    """Write which windows a part of a fold has, with a digest of their patches and columns."""
    digest = hashlib.sha256(written.checksums[rows])
    for column in written.columns.values():
        digest.update(column[rows])
    _store(file, name, rows).attrs["digest"] = digest.hexdigest()


def _store(group: h5py.Group, name: str, column: np.ndarray) -> h5py.Dataset:
    return group.create_dataset(name, data=column, maxshape=(None,), chunks=(16384,), **storage.ARRAY)
