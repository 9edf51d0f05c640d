"""The patch bank of a fold: every patch that training and testing see, with where it comes from.

An HDF5 file with a group per part (``train``, ``validation``, ``test``), each with

=================  ======================  =====================================================
``patches``        (n, w, w) uint16        one chunk per patch, for shuffled reading
``labels``         (n,) uint8              1: the central pixel lies in a mass
``image_id``       (n,) str
``y``, ``x``       (n,) int32              top-left pixel in the stored image
``image_minimum``  (n,) uint16             least and greatest grey value of the breast, for the
``image_maximum``  (n,) uint16             0–255 ablation from the same bank
=================  ======================  =====================================================

Grey values are stored as they are in the image: normalisation comes later.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol

import h5py
import numpy as np

from mammoflow import patches, seeds, storage

PARTS = ("train", "validation", "test")

# Windows cut and written at a time.
_BLOCK = 256


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
    """

    images: int
    positives: int
    negatives: int
    short: int


def write(
    path: str | Path,
    parts: dict[str, Sequence[str]],
    store: Mapping[str, Image],
    windows: patches.Windows,
    policy: str,
    seed: Sequence[str | int],
) -> dict[str, Count]:
    """Write the bank of a fold, image by image.

    Every image is read twice: to count its windows, then to cut those drawn. So at most one image
    and a block of its windows are in memory, however large the bank is.

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
            images = parts[part]
            supply = _survey(images, store, windows, policy)
            negatives, short = _share(supply, policy, part, seed)
            counts[part] = Count(len(images), int(supply.positives.sum()), int(negatives.sum()), short)
            _refuse_one_class(path, part, counts[part])
            total = counts[part].positives + counts[part].negatives
            group = _create(file, part, images, total, windows.window)
            _fill(group, images, negatives, store, windows, policy, (*seed, part))
        file.attrs.update(window=windows.window, stride=windows.stride, edge=windows.edge, negatives=policy)
    return counts


def _share(
    supply: patches.Supply, policy: str, part: str, seed: Sequence[str | int]
) -> tuple[np.ndarray, int]:
    try:
        return patches.share(supply, policy, seeds.generator(*seed, part))
    except ValueError as error:
        raise ValueError(f"{part} part of the fold: {error}") from error


def _refuse_one_class(path: str | Path, part: str, count: Count) -> None:
    if part != "test" and not (count.positives and count.negatives):
        raise ValueError(
            f"{path}: expected positive and negative patches in the {part} part, got {count.positives} "
            f"and {count.negatives} from {count.images} images"
        )


def _candidates(
    image: Image, windows: patches.Windows, policy: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Windows of an image, with the indices of the positive ones and of those drawable as negative."""
    begin = patches.positions(image.breast, windows)
    positive = patches.labels(image.lesions, begin, windows) > 0
    drawable = ~positive
    if policy == "mass-images":
        drawable &= patches.within_breast(image.breast, begin, windows)
    return begin, np.flatnonzero(positive), np.flatnonzero(drawable)


def _survey(
    images: Sequence[str], store: Mapping[str, Image], windows: patches.Windows, policy: str
) -> patches.Supply:
    rows = np.zeros((len(images), 3), np.int64)
    for row, image_id in zip(rows, images, strict=True):
        image = store[image_id]
        _, positive, drawable = _candidates(image, windows, policy)
        row[:] = len(positive), len(drawable), image.masses > 0
    return patches.Supply(rows[:, 0], rows[:, 1], rows[:, 2].astype(bool))


def _create(file: h5py.File, part: str, images: Sequence[str], n: int, window: int) -> h5py.Group:
    group = file.create_group(part)
    # Text of a fixed length lies in the array itself, under its checksum.
    text = h5py.string_dtype(length=max((len(image_id.encode()) for image_id in images), default=1))
    columns = {"labels": np.uint8, "image_id": text, "y": np.int32, "x": np.int32}
    columns |= {"image_minimum": np.uint16, "image_maximum": np.uint16}
    for name, kind in columns.items():
        group.create_dataset(name, (n,), kind, maxshape=(None,), chunks=(16384,), **storage.ARRAY)
    shape = (window, window)
    group.create_dataset(
        "patches", (n, *shape), np.uint16, maxshape=(None, *shape), chunks=(1, *shape), **storage.ARRAY
    )
    return group


def _fill(
    group: h5py.Group,
    images: Sequence[str],
    negatives: np.ndarray,
    store: Mapping[str, Image],
    windows: patches.Windows,
    policy: str,
    seed: Sequence[str | int],
) -> None:
    digest = hashlib.sha256()
    row = 0
    for image_id, count in zip(images, negatives, strict=True):
        image = store[image_id]
        begin, positive, drawable = _candidates(image, windows, policy)
        drawn = seeds.generator(*seed, image_id).choice(drawable, count, replace=False)
        begin = begin[np.sort(np.concatenate([positive, drawn]))]
        if not len(begin):
            continue
        rows = slice(row, row + len(begin))
        breast = image.pixels[image.breast]
        group["image_id"][rows] = image_id
        group["labels"][rows] = patches.labels(image.lesions, begin, windows)
        group["y"][rows], group["x"][rows] = begin.T
        group["image_minimum"][rows], group["image_maximum"][rows] = breast.min(), breast.max()
        for block in np.array_split(begin, -(-len(begin) // _BLOCK)):
            cut = patches.cut(image.pixels, block, windows.window)
            group["patches"][row : row + len(cut)] = cut
            digest.update(f"{image_id} {block.tolist()}".encode())
            digest.update(cut)
            row += len(cut)
    group.attrs["digest"] = digest.hexdigest()


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
        """SHA-256 of the patches with their images and positions, in order."""
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
        patches = self.group["patches"]
        return patches[:] if patches.size * patches.dtype.itemsize <= self.memory else patches

    def read(self, indices: np.ndarray) -> Batch:
        """Patches by index, in the order asked for; an index may occur twice.

        Parameters
        ----------
        indices : (n,) ndarray of int
            Rows of the part.
        """
        return Batch(self._read(indices), self._minimum[indices], self._maximum[indices])

    def _read(self, indices: np.ndarray) -> np.ndarray:
        if isinstance(self._patches, np.ndarray):
            return self._patches[indices]
        patches = np.empty((len(indices), self.window, self.window), np.uint16)
        for row in np.argsort(indices, kind="stable"):
            self._patches.read_direct(patches, np.s_[indices[row]], np.s_[row])
        return patches

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
