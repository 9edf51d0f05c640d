"""Writes the patch bank of a data set: chooses windows for every fold and cuts each of them once."""

import hashlib
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import h5py
import numpy as np

from mammoflow.base import pool, seeds, storage
from mammoflow.patches import chunks, sampling, sliding_windows
from mammoflow.patches.bank import BLOCK, FITTED, PARTS

# Largest number of images that a message names.
_NAMED = 5


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
    threads: int = 2,
) -> dict[int, dict[str, Count]]:
    """Write the bank of a data set, image by image.

    Every image is read once, for all folds. Memory holds the positions of all windows (8 bytes each), one
    image and a few blocks of patches, regardless of the size of the bank.

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
    threads : int, optional
        Blocks of patches compressed at the same time; the file does not depend on it.

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
    offers = {each: _offer(each, regions[each], windows, policy) for each in image_ids}
    chosen, counts = {}, {fold: {} for fold in folds}
    for fold, part in itertools.product(folds, PARTS):
        offered = [offers[image_id] for image_id in folds[fold][part]]
        where = f"{part} part of fold {fold}"
        chosen[f"fold-{fold}/{part}"], count = _draw(offered, policy, where, (*seed, str(fold), part))
        if part != "test" and not (count.positives and count.negatives):
            raise ValueError(
                f"{path}: expected positive and negative patches in the {where}, got {count.positives} "
                f"and {count.negatives} from {count.images} images{count.why(windows)}"
            )
        counts[fold][part] = count
    union = _union(chosen.values())
    with storage.create_hdf5(path) as file:
        written = _fill(file, list(union.items()), images, windows, threads)
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
    threads: int = 2,
) -> None:
    """Write hard negatives in the layout of a bank, with their scores.

    Parameters
    ----------
    path : str or Path
        The file to write.
    parts : mapping of str to sequence of Negatives
        Windows of each part in `bank.FITTED`, image by image; those without a window may be among them.
    images, windows, threads
        As in `write`.
    """
    found = {part: [each for each in parts[part] if len(each.begin)] for part in FITTED}
    every = list(itertools.chain(*found.values()))
    sizes = [sum(len(each.begin) for each in found[part]) for part in FITTED]
    scores = np.concatenate([np.empty(0, np.float32), *(each.scores for each in every)])
    with storage.create_hdf5(path) as file:
        written = _fill(
            file, [(each.image_id, each.begin) for each in every], images, windows, threads, score=scores
        )
        for part, end, size in zip(FITTED, np.cumsum(sizes), sizes, strict=True):
            _select(file, part, np.arange(end - size, end), written)
        file.attrs.update(window=windows.window, stride=windows.stride, edge=windows.edge)


@dataclass(frozen=True)
class _Offer:
    """Windows of an image that a bank may use, as positions, (n, 2) int32.

    `unfit` is empty, or states the size of the image or breast if it is too small for windows.
    """

    image_id: str
    positive: np.ndarray
    drawable: np.ndarray
    masses: bool
    unfit: str


def _offer(image_id: str, image: Regions, windows: sliding_windows.Windows, policy: str) -> _Offer:
    begin = sliding_windows.positions(image.breast, windows)
    positive = sliding_windows.lesions(image.lesions, begin, windows) > 0
    drawable = negative = ~positive
    if policy == "mass-images":
        drawable = negative & sliding_windows.within_breast(image.breast, begin, windows)
    masses = image.masses > 0
    source = policy == "all-images" or masses == (policy == "mass-images")
    lacking = not len(begin) or (source and negative.any() and not drawable.any())
    unfit = _size(image.breast, windows) if lacking else ""
    return _Offer(image_id, begin[positive], begin[drawable], masses, unfit)


def _size(breast: np.ndarray, windows: sliding_windows.Windows) -> str:
    """The size of the image or breast that is too small for windows, in words."""
    if not all(map(len, sliding_windows.grid(breast.shape, windows))):
        return "image of {}×{} pixels".format(*breast.shape)
    rows, columns = (np.flatnonzero(breast.any(axis)) for axis in (1, 0))
    return f"breast of {np.ptp(rows) + 1}×{np.ptp(columns) + 1} pixels" if len(rows) else "empty breast"


def _supply(offers: Sequence[_Offer]) -> sampling.Supply:
    counts = [(len(offer.positive), len(offer.drawable), offer.masses) for offer in offers]
    rows = np.array(counts, np.int64).reshape(-1, 3)
    return sampling.Supply(rows[:, 0], rows[:, 1], rows[:, 2].astype(bool))


def _draw(
    offers: Sequence[_Offer], policy: str, where: str, seed: Sequence[str | int]
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
        chosen = generator.choice(len(offer.drawable), count, replace=False)
        begin = np.concatenate([offer.positive, offer.drawable[chosen]])
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


def _fill(
    file: h5py.File,
    drawn: Sequence[tuple[str, np.ndarray]],
    images: Mapping[str, Image],
    windows: sliding_windows.Windows,
    threads: int,
    **more: np.ndarray,
) -> _Written:
    """Cut windows, image by image; `more` are additional columns, with a value for each window."""
    group = file.create_group("windows")
    sizes = [len(begin) for _, begin in drawn]
    ranges, lesions = np.zeros((len(drawn), 2), np.uint16), [np.empty(0, np.uint8)]
    shape = (windows.window, windows.window)
    array = chunks.create(group, "patches", sum(sizes), shape, np.uint16)

    def blocks() -> Iterator[list[np.ndarray]]:
        for grey, (image_id, begin) in zip(ranges, drawn, strict=True):
            image = images[image_id]
            breast = image.pixels[image.breast]
            grey[:] = breast.min(), breast.max()
            lesions.append(sliding_windows.lesions(image.lesions, begin, windows))
            pixels, begin = sliding_windows.mirrored(image.pixels, begin, windows.window)
            views = np.lib.stride_tricks.sliding_window_view(pixels, shape)
            for start in range(0, len(begin), BLOCK):
                yield [views[y, x] for y, x in begin[start : start + BLOCK]]

    checksums, row = [], 0
    for encoded in pool.ordered(_encoded, blocks(), threads):
        checksums.extend(map(chunks.checksum, encoded))
        chunks.put(array, row, encoded)
        row += len(encoded)

    # Strings of fixed length are stored in the array itself and are therefore covered by its checksum.
    names = np.array([image_id.encode() for image_id, _ in drawn] or [b" "])[: len(drawn)]
    begin = np.concatenate([np.empty((0, 2), np.int32), *(begin for _, begin in drawn)])
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


def _encoded(block: list[np.ndarray]) -> list[bytes]:
    return [chunks.encode(patch) for patch in block]
