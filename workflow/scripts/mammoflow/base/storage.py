"""Writes files that are either complete or absent, also when a job is killed or the disk is full."""

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
import hdf5plugin

# hdf5plugin 7.1.0 takes brackets and stars in the path of its own folder for a pattern, and finds no filter.
if not h5py.h5z.filter_avail(hdf5plugin.BLOSC_ID):
    hdf5plugin._utils.PLUGIN_PATH = glob.escape(hdf5plugin.PLUGIN_PATH)
    hdf5plugin.register("blosc")

# How every array is stored. The checksum makes HDF5 detect flipped bits, which would otherwise be read
# without any error.
ARRAY = {**hdf5plugin.Blosc(cname="lz4", shuffle=hdf5plugin.Blosc.SHUFFLE), "fletcher32": True}


# Error numbers of the operating system: full disk or exhausted quota; folder without write permission.
FULL = {errno.ENOSPC, errno.EDQUOT}
CLOSED = {errno.EROFS, errno.EACCES, errno.EPERM}


@contextmanager
def whole(path: str | Path, room: int = 0) -> Iterator[Path]:
    """Write a file under a temporary name and rename it to its final name once it is complete.

    Parameters
    ----------
    path : str or Path
        The final name; its folder is created if missing. Partial files that a killed process has left are
        removed first. If that process is still alive, it fails: two processes never write the same file.
    room : int, optional
        Number of bytes that must be free at the start of the block, for writers that do not reliably report
        a full disk.

    Yields
    ------
    Path
        The temporary name to write to, with the same suffix. When the block raises, the
        temporary file is removed and nothing appears under the final name.

    Raises
    ------
    OSError
        When the disk is full or the folder is not writable, with the system's `errno`.
    """
    path = Path(path)
    temporary = path.with_name(f".{os.getpid()}.partial.{path.name}")
    try:
        make_folder(path.parent)
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
            message = f"{path}: expected a folder that can be written, got '{os.strerror(error.errno)}'"
            raise OSError(error.errno, message) from error
        raise
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def make_folder(path: Path) -> None:
    """Make a folder with its parents, unless it exists.

    Raises
    ------
    OSError
        With the system's `errno`; for example, where a file has this name.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"{path}: expected a folder that can be written, got '{os.strerror(error.errno)}'"
        raise OSError(error.errno, message) from error


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
    """Bytes of an HDF5 file, which report a failed write only after the file is closed.

    If a write fails while HDF5 closes an array, the chunk is lost without an error; if it fails while HDF5
    closes the file, the process crashes. Therefore the first failure is remembered, and all later writes
    are ignored.
    """

    failure: OSError | None = None

    def write(self, content: memoryview) -> int:
        """Write the complete content, or remember the failure."""
        rest = content = memoryview(content).cast("B")
        try:
            while rest and not self.failure:
                rest = rest[super().write(rest) :]
        except OSError as error:
            self.failure = error
        return len(content)

    def truncate(self, size: int | None = None) -> int:
        """Set the size, which needs disk space as well on some file systems."""
        try:
            return super().truncate(size) if not self.failure else size
        except OSError as error:
            self.failure = error
            return size

    def check(self) -> None:
        """Raise the first failure, if there was one."""
        if self.failure:
            raise self.failure


class _File(h5py.File):
    """An HDF5 file for writing that stops at the next group after a write has failed."""

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
    """Open an HDF5 file for writing that reports a full disk reliably.

    Parameters
    ----------
    path : str or Path
        Usually the temporary name from `whole`.
    **options
        Options of `h5py.File`.

    Raises
    ------
    OSError
        The system's error for the first write that failed.
    """
    with _Bytes(path, "w+") as content:
        try:
            with _File(content, **options) as file:
                yield file
        finally:
            # This error also replaces any later error of HDF5.
            content.check()


@contextmanager
def create_hdf5(path: str | Path) -> Iterator[h5py.File]:
    """Write an HDF5 file that appears under its final name only if the block succeeds.

    The attribute ``complete`` is written last, so that `open_hdf5` recognises a file that was copied before
    it was complete.
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
            # HDF5 reports a flipped bit in this way, without naming the file.
            if "synchronously" not in str(error):
                raise
            raise ValueError(
                f"{path}: expected intact data, got damaged data ({error}); delete it and run again"
            ) from error


def sha256(path: str | Path) -> str:
    """Hexadecimal SHA-256 digest of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
