"""Files that are whole or absent."""

import errno
import glob
import hashlib
import io
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import h5py

# How every array is stored: the checksum makes HDF5 refuse a flipped bit, which an
# uncompressed file would hand over silently.
ARRAY = {"compression": "lzf", "shuffle": True, "fletcher32": True}


# What the operating system calls a full disk, a used up quota, and a folder that is not to be written.
FULL = {errno.ENOSPC, errno.EDQUOT}
CLOSED = {errno.EROFS, errno.EACCES, errno.EPERM}


@contextmanager
def whole(path: str | Path, room: int = 0) -> Iterator[Path]:
    """Write a file beside its final name and move it there once it is complete.

    Parameters
    ----------
    path : str or Path
        The final name; its folder is made when missing. What a killed process left of the same file
        is removed first. Should that process live, it fails: two never write under one name.
    room : int, optional
        Bytes that have to be free before the block begins, for writers that cannot be trusted to
        tell when the disk is full.

    Yields
    ------
    Path
        The temporary name to write to, with the same suffix. When the block raises, the
        temporary file is removed and nothing appears under the final name.

    Raises
    ------
    OSError
        When the disk is full or the folder closed, in one sentence, with the system's `errno`.
    """
    path = Path(path)
    temporary = path.with_name(f".{os.getpid()}.partial.{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for partial in path.parent.glob(f".*.partial.{glob.escape(path.name)}"):
            partial.unlink(missing_ok=True)
        if shutil.disk_usage(path.parent).free < room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        yield temporary
        _sync(temporary)
        os.replace(temporary, path)
        _sync(path.parent)
    except OSError as error:
        if error.errno in FULL:
            raise OSError(error.errno, _no_room(path, temporary, room, os.strerror(error.errno))) from error
        if error.errno in CLOSED:
            told = f"{path}: expected a folder that can be written, got '{os.strerror(error.errno)}'"
            raise OSError(error.errno, told) from error
        raise
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _no_room(path: Path, temporary: Path, room: int, reason: str) -> str:
    written = temporary.stat().st_size if temporary.is_file() else 0
    needed = f"{_size(room)} on its disk" if room else f"room on its disk for more than {_size(written)}"
    disk = shutil.disk_usage(path.parent)
    return (
        f"{path}: expected {needed}, got '{reason}' with {_size(disk.free)} of {_size(disk.total)} free; "
        "make room and run again"
    )


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class _Bytes(io.FileIO):
    """Bytes of an HDF5 file, in which a write never fails before the file is closed.

    HDF5 loses a chunk that it cannot write without a word, when it happens while an array is closed, and
    crashes with the process when it happens while the file is. So the first failure is remembered, and what
    follows goes nowhere.
    """

    failure: OSError | None = None

    def write(self, content: memoryview) -> int:
        """Write all of it, not only what there is room for."""
        rest = content = memoryview(content).cast("B")
        try:
            while rest and not self.failure:
                rest = rest[super().write(rest) :]
        except OSError as error:
            self.failure = error
        return len(content)

    def truncate(self, size: int | None = None) -> int:
        """Set the size, which needs room as well on some file systems."""
        try:
            return super().truncate(size) if not self.failure else size
        except OSError as error:
            self.failure = error
            return size

    def check(self) -> None:
        """Raise the failure, if there was one."""
        if self.failure:
            raise self.failure


class _File(h5py.File):
    """An HDF5 file for writing that goes no further than its next group when a write has failed."""

    def __init__(self, content: _Bytes, **options: object) -> None:
        self._content = content
        super().__init__(content, "w", **options)

    def create_group(self, *arguments: object, **options: object) -> h5py.Group:
        self._content.check()
        return super().create_group(*arguments, **options)

    def require_group(self, *arguments: object, **options: object) -> h5py.Group:
        self._content.check()
        return super().require_group(*arguments, **options)


@contextmanager
def hdf5(path: str | Path, **options: object) -> Iterator[h5py.File]:
    """Open an HDF5 file for writing that survives a full disk.

    Parameters
    ----------
    path : str or Path
        Usually the temporary name that `whole` gives.
    **options
        As for `h5py.File`.

    Raises
    ------
    OSError
        What the system said of the first write that failed.
    """
    with _Bytes(path, "w+") as content:
        try:
            with _File(content, **options) as file:
                yield file
        finally:
            # Also in place of whatever HDF5 made of it.
            content.check()


@contextmanager
def create_hdf5(path: str | Path) -> Iterator[h5py.File]:
    """Write an HDF5 file that appears under its name only when the block ends well.

    The attribute ``complete`` is written last, so that a file copied while half written
    is recognised by `open_hdf5`.
    """
    with whole(path) as temporary, hdf5(temporary, libver="latest") as file:
        yield file
        file.attrs["complete"] = True


@contextmanager
def open_hdf5(path: str | Path) -> Iterator[h5py.File]:
    """Open an HDF5 file made by `create_hdf5` for reading.

    Raises
    ------
    ValueError
        When the file is not HDF5, or lacks its completeness mark.
    """
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        if not Path(path).is_file():
            raise FileNotFoundError(
                errno.ENOENT, f"{path}: expected the file that an earlier job made, got none; run again"
            ) from error
        raise ValueError(
            f"{path}: expected a complete HDF5 file, got one that HDF5 cannot open ({error}); "
            "delete it and run again"
        ) from error
    with file:
        if not file.attrs.get("complete", False):
            raise ValueError(
                f"{path}: expected a complete HDF5 file, got one without its completeness mark; "
                "delete it and run again"
            )
        try:
            yield file
        except (OSError, KeyError) as error:
            # What HDF5 says of a flipped bit; it does not name the file.
            if "synchronously" not in str(error):
                raise
            raise ValueError(
                f"{path}: expected intact data, got damaged data ({error}); delete it and run again"
            ) from error


def sha256(path: str | Path) -> str:
    """Hexadecimal SHA-256 digest of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
