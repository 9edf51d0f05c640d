"""Images and results that are divided among several files: which file has what, and reading them as one."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py

from mammoflow.base import storage


class Shards(Mapping):
    """Items of several files by the name of their image, each read when it is asked for.

    Parameters
    ----------
    paths : path or sequence of paths
        Files written by `storage.create_hdf5`. Each is opened once to list its images, and again for each
        item that is read, so that only one item is in memory at a time.
    names : function
        Names of the images in an open file.
    reader : function
        The item of an image in an open file.

    Raises
    ------
    ValueError
        When a file is incomplete, or two files hold the same image.
    """

    def __init__(
        self,
        paths: str | Path | Sequence[str | Path],
        names: Callable[[h5py.File], Sequence[str]],
        reader: Callable[[h5py.File, str], Any],
    ) -> None:
        self._reader = reader
        self._paths = {}
        for path in [paths] if isinstance(paths, (str, Path)) else paths:
            with storage.open_hdf5(path) as file:
                for image_id in names(file):
                    if image_id in self._paths:
                        both = f"{self._paths[image_id]} and {path}"
                        raise ValueError(f"image '{image_id}': expected in one shard, got {both}")
                    self._paths[image_id] = path

    def __getitem__(self, image_id: str) -> Any:  # noqa: ANN401
        if image_id not in self._paths:
            places = ", ".join(sorted({str(Path(path).parent) for path in self._paths.values()}))
            raise KeyError(
                f"image: expected one of the {len(self)} stored in {places or 'no shard'}, got '{image_id}'"
            )
        with storage.open_hdf5(self._paths[image_id]) as file:
            return self._reader(file, image_id)

    def __contains__(self, image_id: object) -> bool:
        return image_id in self._paths

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._paths))

    def __len__(self) -> int:
        return len(self._paths)


def shard_of(patient_id: str, shards: int) -> int:
    """Shard that holds a patient's images, from a digest of the identifier that never changes."""
    digest = hashlib.sha256(patient_id.encode()).digest()
    return int.from_bytes(digest[:8], "big") % shards


def by_fold(files: Sequence[str], folds: int) -> list[Sequence[str]]:
    """The files of each fold, from those of all folds: of one after the other, and equally many of each.

    Raises
    ------
    ValueError
        When the files cannot be divided in this way.
    """
    count, rest = divmod(len(files), folds)
    if rest or not count:
        raise ValueError(f"files: expected equally many of each of {folds} folds, got {len(files)}")
    return [files[fold * count : (fold + 1) * count] for fold in range(folds)]
