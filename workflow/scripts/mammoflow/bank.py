"""The patch bank of a fold: every patch that training and testing see, with where it comes from.

An HDF5 file with a group per part (``train``, ``validation``, ``test``), each with

=================  ======================  =====================================================
``patches``        (n, w, w) uint16        one chunk per patch, see `chunks`
``labels``         (n,) uint8              1: the central pixel lies in a mass
``image_id``       (n,) str
``y``, ``x``       (n,) int32              top-left pixel in the stored image
``image_minimum``  (n,) uint16             least and greatest grey value of the breast, for the
``image_maximum``  (n,) uint16             0–255 ablation from the same bank
=================  ======================  =====================================================

Grey values are stored as they are in the image: normalisation comes later.
"""

import hashlib
import itertools
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol

import h5py
import numpy as np

from mammoflow import chunks, patches, pool, seeds, storage

PARTS = ("train", "validation", "test")

# Windows cut, compressed and written at a time.
_BLOCK = 64

# Images that a message names.
_NAMED = 5


class Image(Protocol):
    """What a bank needs of a stored image: ``images.StoredImage`` has it.

    Spelt out here so that training, which reads banks, does not depend on how images are made.
    """

    pixels: np.ndarray
    breast: np.ndarray
    lesions: np.ndarray
    masses: int


@dataclass(frozen=True)
class Count:
    """What one part of a bank holds.

    Parameters
    ----------
    images : int
        Images of the part.
    positives, negatives : int
        Patches.
    short : int
        How many negatives the images could not give.
    unfit : dict of str to str
        Images that gave no window, or none to draw negatives from, and what size of theirs is too small.
    """

    images: int
    positives: int
    negatives: int
    short: int
    unfit: dict[str, str]

    def why(self, windows: patches.Windows) -> str:
        """The images that gave nothing, for the end of a message; empty where there are none."""
        if not self.unfit:
            return ""
        named = [f"{image_id} ({size})" for image_id, size in itertools.islice(self.unfit.items(), _NAMED)]
        more = f" and {len(self.unfit) - _NAMED} more" if len(self.unfit) > _NAMED else ""
        side = f"{windows.window}×{windows.window}"
        return f"; windows of {side} pixels do not fit into {', '.join(named)}{more}"


def write(
    path: str | Path,
    parts: dict[str, Sequence[str]],
    store: Mapping[str, Image],
    windows: patches.Windows,
    policy: str,
    seed: Sequence[str | int],
    threads: int = 2,
) -> dict[str, Count]:
    """Write the bank of a fold, image by image.

    Every image is read twice: to list its windows, then to cut those drawn. In memory are the places of
    all windows that may be drawn (8 bytes each), one image and a few blocks of patches, however large
    the bank is.

    Parameters
    ----------
    path : str or Path
        The bank.
    parts : dict of str to sequence of str
        Image ids of each of `PARTS`.
    store : mapping of str to Image
        The stored image of an id, as ``images.open_store`` gives it.
    windows : patches.Windows
        How windows are laid.
    policy : {'mass-images', 'normal-images'}
        Where negatives come from; see `patches.share`.
    seed : sequence of str or int
        Root seed and labels, as `seeds.sequence` takes them.
    threads : int, optional
        Blocks of patches compressed at the same time; what is written does not depend on it.

    Returns
    -------
    dict of str to Count
        What each part holds.

    Raises
    ------
    ValueError
        When training or validation would lack one of the classes.
    """
    counts = {}
    with storage.create_hdf5(path) as file:
        for part in PARTS:
            offers = [_offer(image_id, store[image_id], windows, policy) for image_id in parts[part]]
            supply = _supply(offers)
            negatives, short = _share(supply, policy, part, seed)
            unfit = {offer.image_id: offer.unfit for offer in offers if offer.unfit}
            count = Count(len(offers), int(supply.positives.sum()), int(negatives.sum()), short, unfit)
            _refuse_one_class(path, part, count, windows)
            drawn = [
                _drawn(offer, n, seeds.generator(*seed, part, offer.image_id))
                for offer, n in zip(offers, negatives, strict=True)
            ]
            _fill(file.create_group(part), drawn, store, windows, threads)
            counts[part] = count
        file.attrs.update(window=windows.window, stride=windows.stride, edge=windows.edge, negatives=policy)
    return counts


@dataclass(frozen=True)
class _Offer:
    """What an image has for a bank: places of windows, (n, 2) int32, and why it has none.

    `unfit` is empty, or says in words which two sizes do not go together.
    """

    image_id: str
    positive: np.ndarray
    drawable: np.ndarray
    masses: bool
    unfit: str


def _offer(image_id: str, image: Image, windows: patches.Windows, policy: str) -> _Offer:
    begin = patches.positions(image.breast, windows)
    positive = patches.labels(image.lesions, begin, windows) > 0
    drawable = negative = ~positive
    if policy == "mass-images":
        drawable = negative & patches.within_breast(image.breast, begin, windows)
    masses = image.masses > 0
    source = masses == (policy == "mass-images")
    lacking = not len(begin) or (source and negative.any() and not drawable.any())
    unfit = _size(image.breast, windows) if lacking else ""
    return _Offer(image_id, begin[positive], begin[drawable], masses, unfit)


def _size(breast: np.ndarray, windows: patches.Windows) -> str:
    """What of an image is too small for windows."""
    if not all(map(len, patches.grid(breast.shape, windows))):
        return "image of {}×{} pixels".format(*breast.shape)
    rows, columns = (np.flatnonzero(breast.any(axis)) for axis in (1, 0))
    return f"breast of {np.ptp(rows) + 1}×{np.ptp(columns) + 1} pixels" if len(rows) else "empty breast"


def _supply(offers: Sequence[_Offer]) -> patches.Supply:
    counts = [(len(offer.positive), len(offer.drawable), offer.masses) for offer in offers]
    rows = np.array(counts, np.int64).reshape(-1, 3)
    return patches.Supply(rows[:, 0], rows[:, 1], rows[:, 2].astype(bool))


def _share(
    supply: patches.Supply, policy: str, part: str, seed: Sequence[str | int]
) -> tuple[np.ndarray, int]:
    try:
        return patches.share(supply, policy, seeds.generator(*seed, part))
    except ValueError as error:
        raise ValueError(f"{part} part of the fold: {error}") from error


def _refuse_one_class(path: str | Path, part: str, count: Count, windows: patches.Windows) -> None:
    if part != "test" and not (count.positives and count.negatives):
        raise ValueError(
            f"{path}: expected positive and negative patches in the {part} part, got {count.positives} "
            f"and {count.negatives} from {count.images} images{count.why(windows)}"
        )


def _drawn(
    offer: _Offer, negatives: int, generator: np.random.Generator
) -> tuple[str, np.ndarray, np.ndarray]:
    """Windows of an image that the bank holds, in raster order, and their labels."""
    chosen = generator.choice(len(offer.drawable), negatives, replace=False)
    begin = np.concatenate([offer.positive, offer.drawable[chosen]])
    labels = np.repeat(np.array([1, 0], np.uint8), [len(offer.positive), negatives])
    order = np.lexsort(begin.T[::-1])
    return offer.image_id, begin[order], labels[order]


def _fill(
    group: h5py.Group,
    drawn: Sequence[tuple[str, np.ndarray, np.ndarray]],
    store: Mapping[str, Image],
    windows: patches.Windows,
    threads: int,
) -> None:
    drawn = [image for image in drawn if len(image[1])]
    sizes = [len(begin) for _, begin, _ in drawn]
    ranges = np.zeros((len(drawn), 2), np.uint16)
    shape = (windows.window, windows.window)
    array = chunks.create(group, "patches", sum(sizes), shape, np.uint16)

    def blocks() -> Iterator[list[np.ndarray]]:
        for grey, (image_id, begin, _) in zip(ranges, drawn, strict=True):
            image = store[image_id]
            breast = image.pixels[image.breast]
            grey[:] = breast.min(), breast.max()
            pixels, begin = patches.mirrored(image.pixels, begin, windows.window)
            views = np.lib.stride_tricks.sliding_window_view(pixels, shape)
            for start in range(0, len(begin), _BLOCK):
                yield [views[y, x] for y, x in begin[start : start + _BLOCK]]

    digest, row = hashlib.sha256(), 0
    for encoded in pool.ordered(_encoded, blocks(), threads):
        digest.update(b"".join(map(chunks.checksum, encoded)))
        chunks.put(array, row, encoded)
        row += len(encoded)

    # Text of a fixed length lies in the array itself, under its checksum.
    names = np.array([image_id.encode() for image_id, _, _ in drawn] or [b" "])[: len(drawn)]
    begin = np.concatenate([np.empty((0, 2), np.int32), *(begin for _, begin, _ in drawn)])
    minimum, maximum = np.repeat(ranges, sizes, axis=0).T
    columns = {
        "labels": np.concatenate([np.empty(0, np.uint8), *(labels for _, _, labels in drawn)]),
        "image_id": np.repeat(names, sizes).astype(h5py.string_dtype(length=names.itemsize)),
        "y": begin[:, 0].copy(),
        "x": begin[:, 1].copy(),
        "image_minimum": minimum.copy(),
        "image_maximum": maximum.copy(),
    }
    for name, column in columns.items():
        digest.update(column)
        group.create_dataset(name, data=column, maxshape=(None,), chunks=(16384,), **storage.ARRAY)
    group.attrs["digest"] = digest.hexdigest()


def _encoded(block: list[np.ndarray]) -> list[bytes]:
    return [chunks.encode(patch) for patch in block]


@dataclass(frozen=True)
class Batch:
    """Patches with the grey range of their breasts.

    Parameters
    ----------
    patches : (n, w, w) ndarray of uint16
        Grey values as stored.
    minimum, maximum : (n,) ndarray of uint16
        Least and greatest grey value of the breast.
    """

    patches: np.ndarray
    minimum: np.ndarray
    maximum: np.ndarray


@dataclass(frozen=True)
class Part:
    """One part of an open bank: columns in memory, patches on disk.

    Parameters
    ----------
    group : h5py.Group
        The part's group in a bank opened with `open_bank`.
    memory : int, optional
        Bytes: a part whose patches need no more than this is read once and kept.
    """

    group: h5py.Group
    memory: int = 0
    labels: np.ndarray = field(init=False)
    _loading: threading.Lock = field(init=False, repr=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", self.group["labels"][:])

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def window(self) -> int:
        """Side of the patches in pixels."""
        return self.group["patches"].shape[1]

    @property
    def digest(self) -> str:
        """SHA-256 of the columns and of the checksums of the patches, in order."""
        return self.group.attrs["digest"]

    @cached_property
    def image_id(self) -> np.ndarray:
        """Image of each patch, (n,) array of str."""
        return self.group["image_id"].asstr()[:]

    @cached_property
    def y(self) -> np.ndarray:
        """First row of each patch in its stored image, (n,) int32."""
        return self.group["y"][:]

    @cached_property
    def x(self) -> np.ndarray:
        """First column of each patch in its stored image, (n,) int32."""
        return self.group["x"][:]

    @cached_property
    def _minimum(self) -> np.ndarray:
        return self.group["image_minimum"][:]

    @cached_property
    def _maximum(self) -> np.ndarray:
        return self.group["image_maximum"][:]

    @cached_property
    def _patches(self) -> np.ndarray | h5py.Dataset:
        stored = self.group["patches"]
        fits = stored.size * stored.dtype.itemsize <= self.memory
        return chunks.take(stored, np.arange(len(stored))) if fits else stored

    def read(self, indices: np.ndarray) -> Batch:
        """Patches by index, in the order asked for; an index may occur twice. Threads may share a part.

        Parameters
        ----------
        indices : (n,) ndarray of int
            Rows of the part.

        Raises
        ------
        ValueError
            When the bank is damaged there.
        """
        with self._loading:  # or two threads would fill the memory twice
            source, minimum, maximum = self._patches, self._minimum, self._maximum
        found = source[indices] if isinstance(source, np.ndarray) else chunks.take(source, indices)
        return Batch(found, minimum[indices], maximum[indices])

    def batches(self, size: int) -> Iterator[Batch]:
        """All patches in order, `size` at a time."""
        for start in range(0, len(self), size):
            yield self.read(np.arange(start, min(start + size, len(self))))


@dataclass(frozen=True)
class Bank:
    """An open bank.

    Parameters
    ----------
    train, validation, test : Part
        The parts of the fold.
    """

    train: Part
    validation: Part
    test: Part

    @property
    def window(self) -> int:
        """Side of the patches in pixels."""
        return self.train.window


@contextmanager
def open_bank(path: str | Path, memory: int = 0) -> Iterator[Bank]:
    """Open a bank for reading.

    Parameters
    ----------
    path : str or Path
        A file that `write` made.
    memory : int, optional
        Bytes that each part may keep in memory; see `Part`.

    Raises
    ------
    ValueError
        When the file is damaged or incomplete.
    """
    with storage.open_hdf5(path) as file:
        yield Bank(*(Part(file[part], memory) for part in PARTS))
