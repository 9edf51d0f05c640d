"""Reads the patch bank of a data set: the patches of all folds, with their origin.

A bank is an HDF5 file. Its group ``windows`` holds every window that some fold uses, once, with

=================  ======================  =====================================================
``patches``        (n, w, w) uint16        one chunk per patch, see `chunks`
``labels``         (n,) uint8              1: the central pixel lies in a mass
``lesion``         (n,) uint8              the mass as numbered in its image from 1; 0: none
``image_id``       (n,) str
``y``, ``x``       (n,) int32              top-left pixel in the stored image
``image_minimum``  (n,) uint16             least and greatest grey value of the breast, used by the
``image_maximum``  (n,) uint16             ablation that scales grey values to 0–255
=================  ======================  =====================================================

For each fold and part, ``fold-0/train`` and so on hold the rows of its windows, ascending, int64.

Grey values are stored as in the image, and normalised later. The banks of models with the normalisation
``local`` are cut from images whose contrast is already normalised; see `local_contrast`.

A file of hard negatives has the same layout, with ``train`` and ``validation`` of one fold only. An
additional column ``score``, (n,) float32, has the probability of a mass that the first training of a run
gives to the patch.
"""

import hashlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import h5py
import numpy as np

from mammoflow.base import storage
from mammoflow.patches import chunks

PARTS = ("train", "validation", "test")

# The parts that hard negatives are added to; test images never train.
FITTED = PARTS[:2]


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
    """One part of a fold in an open bank: columns in memory, patches on disk.

    Parameters
    ----------
    windows : h5py.Group
        The windows of a bank opened with `open_bank`.
    chosen : h5py.Dataset
        The rows of the windows that belong to the part.
    memory : int, optional
        Bytes; a part whose patches need no more than this is read once and kept in memory.
    """

    windows: h5py.Group
    chosen: h5py.Dataset
    memory: int = 0
    labels: np.ndarray = field(init=False)
    _rows: np.ndarray = field(init=False, repr=False)
    _loading: threading.Lock = field(init=False, repr=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_rows", self.chosen[:])
        object.__setattr__(self, "labels", self.column("labels"))

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def window(self) -> int:
        """Side of the patches in pixels."""
        return self.windows["patches"].shape[1]

    @property
    def digest(self) -> str:
        """SHA-256 of the checksums of the patches and of the columns, in order."""
        return self.chosen.attrs["digest"]

    def column(self, name: str) -> np.ndarray:
        """A value for each patch, (n,)."""
        return self.windows[name][:][self._rows]

    @cached_property
    def image_id(self) -> np.ndarray:
        """Image of each patch, (n,) array of str."""
        return self.windows["image_id"].asstr()[:][self._rows]

    @cached_property
    def y(self) -> np.ndarray:
        """First row of each patch in its stored image, (n,) int32."""
        return self.column("y")

    @cached_property
    def x(self) -> np.ndarray:
        """First column of each patch in its stored image, (n,) int32."""
        return self.column("x")

    @cached_property
    def lesions(self) -> np.ndarray:
        """Number of the mass that each patch shows, from 0, (n,) int64; -1 for those that show none."""
        positive = self.labels > 0
        named = zip(self.image_id[positive], self.column("lesion")[positive], strict=True)
        numbers = np.full(len(self), -1)
        numbers[positive] = np.unique([f"{image} {lesion}" for image, lesion in named], return_inverse=True)[
            1
        ]
        return numbers

    @cached_property
    def _minimum(self) -> np.ndarray:
        return self.column("image_minimum")

    @cached_property
    def _maximum(self) -> np.ndarray:
        return self.column("image_maximum")

    @cached_property
    def _patches(self) -> np.ndarray | None:
        """The patches of the part, if they are kept in memory."""
        stored = self.windows["patches"]
        size = len(self) * self.window**2 * stored.dtype.itemsize
        return chunks.take(stored, self._rows) if size <= self.memory else None

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
            kept, minimum, maximum = self._patches, self._minimum, self._maximum
        stored = self.windows["patches"]
        patches = chunks.take(stored, self._rows[indices]) if kept is None else kept[indices]
        return Batch(patches, minimum[indices], maximum[indices])

    def batches(self, size: int) -> Iterator[Batch]:
        """All patches in order, `size` at a time."""
        for start in range(0, len(self), size):
            yield self.read(np.arange(start, min(start + size, len(self))))


@dataclass(frozen=True)
class Joined:
    """Parts of several banks as one, in their order.

    Parameters
    ----------
    parts : sequence of Part
        Patches of the same size.

    Raises
    ------
    ValueError
        When the patches of the parts differ in size.
    """

    parts: Sequence[Part]
    labels: np.ndarray = field(init=False)
    _ends: np.ndarray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        windows = sorted({part.window for part in self.parts})
        if len(windows) > 1:
            raise ValueError(f"banks: expected patches of one size, got sides of {windows} pixels")
        object.__setattr__(self, "labels", np.concatenate([part.labels for part in self.parts]))
        object.__setattr__(self, "_ends", np.cumsum([len(part) for part in self.parts]))

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def window(self) -> int:
        """Side of the patches in pixels."""
        return self.parts[0].window

    @cached_property
    def lesions(self) -> np.ndarray:
        """Number of the mass that each patch shows; see `Part.lesions`."""
        numbers, first = [], 0
        for part in self.parts:
            own = part.lesions
            numbers.append(np.where(own < 0, own, own + first))
            first += own.max(initial=-1) + 1
        return np.concatenate(numbers)

    @property
    def digest(self) -> str:
        """SHA-256 of the digests of all parts."""
        return hashlib.sha256(" ".join(part.digest for part in self.parts).encode()).hexdigest()

    def read(self, indices: np.ndarray) -> Batch:
        """Read patches by index, in the given order; see `Part.read`."""
        owners = np.searchsorted(self._ends, indices, side="right")
        begins = np.concatenate([[0], self._ends])
        batches = [
            part.read((indices - begins[place])[owners == place]) for place, part in enumerate(self.parts)
        ]
        order = np.argsort(np.argsort(owners, kind="stable"))
        return Batch(
            *(
                np.concatenate([getattr(batch, name) for batch in batches])[order]
                for name in ("patches", "minimum", "maximum")
            )
        )


@dataclass(frozen=True)
class Extended:
    """A part of a bank with more negatives. Its positives repeat, in order, until the classes are balanced.

    Parameters
    ----------
    part : Part
        Patches of both classes.
    negatives : Part
        Patches without a mass, of the same size; may be empty.
    """

    part: Part
    negatives: Part
    labels: np.ndarray = field(init=False)
    _joined: Joined = field(init=False, repr=False)
    _rows: np.ndarray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        joined = Joined((self.part, self.negatives))
        positive = np.flatnonzero(joined.labels)
        lacking = max(len(joined) - 2 * len(positive), 0)
        rows = np.concatenate([np.arange(len(joined)), np.resize(positive, lacking)])
        object.__setattr__(self, "_joined", joined)
        object.__setattr__(self, "_rows", rows)
        object.__setattr__(self, "labels", joined.labels[rows])

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def window(self) -> int:
        """Side of the patches in pixels."""
        return self.part.window

    @property
    def lesions(self) -> np.ndarray:
        """Number of the mass that each patch shows; see `Part.lesions`."""
        return self._joined.lesions[self._rows]

    @property
    def digest(self) -> str:
        """SHA-256 of the digests of both."""
        return self._joined.digest

    def read(self, indices: np.ndarray) -> Batch:
        """Read patches by index, in the given order; see `Part.read`."""
        return self._joined.read(self._rows[indices])


@dataclass(frozen=True)
class Bank:
    """An open bank.

    Parameters
    ----------
    train, validation : Part, Joined or Extended
        The parts of the fold that networks are fitted to.
    test : Part or Joined
        The part that they are tested on.
    """

    train: Part | Joined | Extended
    validation: Part | Joined | Extended
    test: Part | Joined

    def extended(self, negatives: Mapping[str, Part]) -> "Bank":
        """The bank with more negatives in the parts of `FITTED`; see `Extended`."""
        return replace(self, **{part: Extended(getattr(self, part), negatives[part]) for part in FITTED})

    @property
    def window(self) -> int:
        """Side of the patches in pixels."""
        return self.train.window


@contextmanager
def open_bank(path: str | Path, fold: int, memory: int = 0) -> Iterator[Bank]:
    """Open one fold of a bank for reading.

    Parameters
    ----------
    path : str or Path
        A file written by `cutting.write`.
    fold : int
        The fold.
    memory : int, optional
        Bytes that each part may keep in memory; see `Part`.

    Raises
    ------
    ValueError
        When the file is damaged or incomplete.
    """
    with storage.open_hdf5(path) as file:
        if f"fold-{fold}" not in file:
            raise ValueError(f"{path}: expected a bank that holds fold {fold}, got one without it")
        yield Bank(*(Part(file["windows"], file[f"fold-{fold}/{part}"], memory) for part in PARTS))


@contextmanager
def open_banks(paths: Sequence[str | Path], folds: Sequence[int], memory: int = 0) -> Iterator[Bank]:
    """Open one fold of each of several banks as one bank; see `open_bank` and `Joined`."""
    with ExitStack() as opened:
        banks = [
            opened.enter_context(open_bank(path, fold, memory))
            for path, fold in zip(paths, folds, strict=True)
        ]
        joined = (Joined([getattr(each, part) for each in banks]) for part in PARTS)
        yield banks[0] if len(banks) == 1 else Bank(*joined)


@contextmanager
def open_negatives(path: str | Path, memory: int = 0) -> Iterator[dict[str, Part]]:
    """Open a file of hard negatives for reading; returns its parts by name.

    Parameters
    ----------
    path : str or Path
        A file written by `cutting.write_negatives`.
    memory : int, optional
        As for `open_bank`.

    Raises
    ------
    ValueError
        When the file is damaged or incomplete.
    """
    with storage.open_hdf5(path) as file:
        yield {part: Part(file["windows"], file[part], memory) for part in FITTED}
