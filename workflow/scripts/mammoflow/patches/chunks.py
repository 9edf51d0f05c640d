"""Stores arrays in HDF5, one chunk per item, so that several threads can compress and read in parallel.

HDF5 itself filters one chunk at a time, under a global lock. Here the filters run outside this lock, and
HDF5 only stores the result. The file names the filters, which are those of `storage.ARRAY` (Blosc with byte
shuffling and LZ4, then a Fletcher-32 checksum), so that HDF5 can also read it by itself.
"""

from collections.abc import Sequence

import h5py
import numpy as np
from h5py._objects import phil  # h5py's global lock, which h5py does not take for direct chunk access
from numcodecs import Blosc, blosc

from mammoflow.base.machine_code import compiled

# The caller provides the threads.
blosc.use_threads = False

_LEVEL = 5
_CODEC = Blosc(cname="lz4", clevel=_LEVEL, shuffle=Blosc.SHUFFLE)
_CHECKSUM_BYTES = 4

# Filter number registered with the HDF Group; versions of filter and format; Blosc's code for LZ4.
_BLOSC, _VERSIONS, _LZ4 = 32001, (2, 2), 1


def create(group: h5py.Group, name: str, n: int, shape: tuple[int, ...], dtype: np.dtype) -> h5py.Dataset:
    """Create an empty array of `n` items.

    Parameters
    ----------
    group : h5py.Group
        Group to create the array in.
    name : str
        Name of the array in the group.
    n : int
        Number of items; may be 0.
    shape : tuple of int
        Shape of an item.
    dtype : numpy.dtype
        Data type of an item.
    """
    dtype = np.dtype(dtype)
    size = int(np.prod(shape)) * dtype.itemsize
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_chunk((1, *shape))
    # Optional, because otherwise HDF5 refuses to create the array if the filter is not installed.
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
    """Compress an item and append its checksum. Safe to call from several threads."""
    chunk = _CODEC.encode(np.ascontiguousarray(item))
    return chunk + fletcher32(chunk)


def checksum(chunk: bytes) -> bytes:
    """The checksum at the end of an encoded item, 4 bytes."""
    return chunk[-_CHECKSUM_BYTES:]


def fletcher32(data: bytes) -> bytes:
    """HDF5's Fletcher-32 checksum, 4 bytes.

    It takes a fifth of the time of numcodecs' version and releases the interpreter lock, for which the
    threads that feed a network would otherwise wait.

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


@compiled
def _sums(words):  # noqa: ANN001, ANN202
    """Sum of 16-bit words, and sum of their cumulative sums."""
    count, total, weighted = len(words), np.uint64(0), np.uint64(0)
    for i in range(count):
        total += np.uint64(words[i])
        weighted += np.uint64(words[i]) * np.uint64(count - i)
    return total, weighted


def _ones_complement(number: int) -> int:
    """Remainder of a division by 65535, with 65535 instead of 0 unless the number itself is 0."""
    return (int(number) - 1) % 65535 + 1 if number else 0


def put(array: h5py.Dataset, first: int, encoded: Sequence[bytes]) -> None:
    """Store encoded items, from index `first` on."""
    rest = (0,) * (array.ndim - 1)
    for index, chunk in enumerate(encoded, first):
        with phil:
            array.id.write_direct_chunk((index, *rest), chunk)


def take(array: h5py.Dataset, indices: np.ndarray) -> np.ndarray:
    """Read items by index, in the given order; indices may repeat. Safe to call from several threads.

    Parameters
    ----------
    array : h5py.Dataset
        An array made by `create`, in an open file.
    indices : (n,) ndarray of int
        Indices of the items.

    Returns
    -------
    (n, ...) ndarray

    Raises
    ------
    ValueError
        When the stored data are damaged.
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
                f"{array.file.filename}: expected intact data, got damaged data in item {index} of "
                f"{array.name}; delete it and run again"
            ) from error
    return items
