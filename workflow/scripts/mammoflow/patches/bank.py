"""Reads the patch bank of a fold: all patches for training and testing, with their origin.

A bank is an HDF5 file with a group per part (``train``, ``validation``, ``test``), each with

=================  ======================  =====================================================
``patches``        (n, w, w) uint16        one chunk per patch, see `chunks`
``labels``         (n,) uint8              1: the central pixel lies in a mass
``image_id``       (n,) str
``y``, ``x``       (n,) int32              top-left pixel in the stored image
``image_minimum``  (n,) uint16             least and greatest grey value of the breast, used by the
``image_maximum``  (n,) uint16             ablation that scales grey values to 0–255
=================  ======================  =====================================================

Grey values are stored as in the image, and normalised later. The banks of models with the normalisation
``local`` are cut from images whose contrast is already normalised; see `local_contrast`.
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

# Number of windows that are cut, compressed and written at a time.
BLOCK = 64


@dataclass(frozen=True)
class Batch:
    """Patches with the grey-value range of their breasts.

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
        Bytes; a part whose patches need no more than this is read once and kept in memory.
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
        """SHA-256 of the checksums of the patches and of the columns, in order."""
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
        """Read patches by index, in the given order; indices may repeat. Safe to call from several threads.

        Parameters
        ----------
        indices : (n,) ndarray of int
            Rows of the part.

        Raises
        ------
        ValueError
            When the bank is damaged at one of the patches.
        """
        with self._loading:  # otherwise two threads could both load the part into memory
            source, minimum, maximum = self._patches, self._minimum, self._maximum
        patches = source[indices] if isinstance(source, np.ndarray) else chunks.take(source, indices)
        return Batch(patches, minimum[indices], maximum[indices])

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
        A file written by `cutting.write`.
    memory : int, optional
        Bytes that each part may keep in memory; see `Part`.

    Raises
    ------
    ValueError
        When the file is damaged or incomplete.
    """
    with storage.open_hdf5(path) as file:
        yield Bank(*(Part(file[part], memory) for part in PARTS))
