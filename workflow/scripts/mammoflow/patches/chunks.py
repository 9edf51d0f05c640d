"""Arrays of many equal items, a chunk each, that several threads compress and read at the same time.

HDF5 runs its filters one chunk after the other, inside one lock. Here the filters run outside it, and
HDF5 only stores what comes out. The file says which filters these are (Blosc with byte shuffling and LZ4,
then a Fletcher-32 checksum), so that h5py reads it as well where ``hdf5plugin`` is installed.
"""

from collections.abc import Sequence

import h5py
import numba
import numpy as np
from h5py._objects import phil  # h5py's global lock, which it forgets to take for whole chunks
from numcodecs import Blosc, blosc

# Threads are the caller's.
blosc.use_threads = False

_LEVEL = 5
_CODEC = Blosc(cname="lz4", clevel=_LEVEL, shuffle=Blosc.SHUFFLE)
_CHECKSUM_BYTES = 4

# Registered with the HDF Group; then versions of filter and format, and the number of LZ4.
_BLOSC, _VERSIONS, _LZ4 = 32001, (2, 2), 1


def create(group: h5py.Group, name: str, n: int, shape: tuple[int, ...], dtype: np.dtype) -> h5py.Dataset:
    """Empty array of `n` items.

    Parameters
    ----------
    group : h5py.Group
        Where it is made.
    name : str
        Its name there.
    n : int
        Items; may be 0.
    shape : tuple of int
        Of an item.
    dtype : numpy.dtype
        Of an item.
    """
    dtype = np.dtype(dtype)
    size = int(np.prod(shape)) * dtype.itemsize
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_chunk((1, *shape))
    # Optional, or HDF5 would refuse to make the array where it lacks the filter.
    properties.set_filter(
        _BLOSC,
        h5py.h5z.FLAG_OPTIONAL,
        (*_VERSIONS, dtype.itemsize, size, _LEVEL, Blosc.SHUFFLE, _LZ4),
    )
    properties.set_fletcher32()
    space = h5py.h5s.create_simple((n, *shape), (h5py.h5s.UNLIMITED, *shape))
    kind = h5py.h5t.py_create(dtype, logical=True)
    return h5py.Dataset(h5py.h5d.create(group.id, name.encode(), kind, space, properties))


def encode(item: np.ndarray) -> bytes:
    """What is stored of an item; threads may do it side by side."""
    chunk = _CODEC.encode(np.ascontiguousarray(item))
    return chunk + fletcher32(chunk)


def checksum(chunk: bytes) -> bytes:
    """The checksum in what `encode` gave, 4 bytes."""
    return chunk[-_CHECKSUM_BYTES:]


def fletcher32(data: bytes) -> bytes:
    """HDF5's Fletcher-32 checksum, 4 bytes.

    A fifth of the time of numcodecs', and without the interpreter's lock, which threads that feed a
    network wait for.

    Parameters
    ----------
    data : bytes or memoryview
        At most 16 MiB.
    """
    total, weighted = _sums(np.frombuffer(data, "<u2", len(data) // 2))
    if len(data) % 2:
        total += data[-1]
        weighted += total
    return b"".join(_ones_complement(each).to_bytes(2, "big") for each in (total, weighted))


@numba.njit(nogil=True, error_model="numpy")
def _sums(words):  # noqa: ANN001, ANN202
    """Sum of 16-bit words, and sum of their sums up to each."""
    count, total, weighted = len(words), np.uint64(0), np.uint64(0)
    for i in range(count):
        total += np.uint64(words[i])
        weighted += np.uint64(words[i]) * np.uint64(count - i)
    return total, weighted


def _ones_complement(number: int) -> int:
    """Remainder of a division by 65535, which stands for 0 where the number is not."""
    return (int(number) - 1) % 65535 + 1 if number else 0


def put(array: h5py.Dataset, first: int, encoded: Sequence[bytes]) -> None:
    """Store what `encode` gave of the items from `first` on."""
    rest = (0,) * (array.ndim - 1)
    for index, chunk in enumerate(encoded, first):
        with phil:
            array.id.write_direct_chunk((index, *rest), chunk)


def take(array: h5py.Dataset, indices: np.ndarray) -> np.ndarray:
    """Items by index, in the order asked for; an index may occur twice. Threads may do it side by side.

    Parameters
    ----------
    array : h5py.Dataset
        One that `create` made, of an open file.
    indices : (n,) ndarray of int
        Which items.

    Returns
    -------
    (n, ...) ndarray

    Raises
    ------
    ValueError
        When what is read is not what was written.
    """
    items = np.empty((len(indices), *array.shape[1:]), array.dtype)
    rest = (0,) * (array.ndim - 1)
    for item, index in zip(items, indices, strict=True):
        try:
            with phil:
                _, chunk = array.id.read_direct_chunk((int(index), *rest))
            content = memoryview(chunk)[:-_CHECKSUM_BYTES]
            if fletcher32(content) != checksum(chunk):
                raise ValueError("checksum")
            _CODEC.decode(content, out=item)
        except (RuntimeError, ValueError, OSError) as error:
            raise ValueError(
                f"{array.file.filename}: expected what was written, got damaged data in item {index} of "
                f"{array.name}; delete it and run again"
            ) from error
    return items
