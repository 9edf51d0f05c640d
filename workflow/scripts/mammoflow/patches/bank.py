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

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import h5py
import numpy as np

from mammoflow.base import storage
from mammoflow.patches import chunks

PARTS = ("train", "validation", "test")

# Windows cut, compressed and written at a time.
BLOCK = 64


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
