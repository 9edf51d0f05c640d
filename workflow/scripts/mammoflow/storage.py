"""Files that are whole or absent."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

# How every array is stored: the checksum makes HDF5 refuse a flipped bit, which an
# uncompressed file would hand over silently.
ARRAY = {"compression": "lzf", "shuffle": True, "fletcher32": True}


@contextmanager
def whole(path: str | Path) -> Iterator[Path]:
    """Write a file beside its final name and move it there once it is complete.

    Parameters
    ----------
    path : str or Path
        The final name; its folder is made when missing.

    Yields
    ------
    Path
        The temporary name to write to, with the same suffix. When the block raises, the
        temporary file is removed and nothing appears under the final name.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{os.getpid()}.partial.{path.name}")
    try:
        yield temporary
        _sync(temporary)
        os.replace(temporary, path)
        _sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def create_hdf5(path: str | Path) -> Iterator[h5py.File]:
    """Write an HDF5 file that appears under its name only when the block ends well.

    The attribute ``complete`` is written last, so that a file copied while half written
    is recognised by `open_hdf5`.
    """
    with whole(path) as temporary, h5py.File(temporary, "w", libver="latest") as file:
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
            raise
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
                f"{path}: expected what was written, got damaged data ({error}); delete it and run again"
            ) from error


def sha256(path: str | Path) -> str:
    """Hexadecimal SHA-256 digest of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
