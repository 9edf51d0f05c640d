"""Arrays whose chunks are compressed outside HDF5."""

from concurrent.futures import ThreadPoolExecutor

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numcodecs import Fletcher32

from mammoflow.patches import chunks


def stored(path, items):
    with h5py.File(path, "w", libver="latest") as file:
        array = chunks.create(file, "items", len(items), items.shape[1:], items.dtype)
        chunks.put(array, 0, [chunks.encode(item) for item in items[:3]])
        chunks.put(array, 3, [chunks.encode(item) for item in items[3:]])
    return path


@settings(max_examples=40, deadline=None)
@given(
    hnp.arrays(
        st.sampled_from([np.uint16, np.float32, np.int32]),
        hnp.array_shapes(min_dims=2, max_dims=3, max_side=12),
        elements=st.integers(0, 4095),
    ),
    st.data(),
)
def test_what_is_taken_is_what_was_put(tmp_path_factory, items, data):
    path = stored(tmp_path_factory.getbasetemp() / "items.h5", items)
    indices = np.array(data.draw(st.lists(st.integers(0, len(items) - 1), max_size=9)), int)
    with h5py.File(path) as file:
        taken = chunks.take(file["items"], indices)
    assert taken.dtype == items.dtype
    np.testing.assert_array_equal(taken, items[indices])


def test_many_threads_take_what_one_does(tmp_path):
    items = np.random.default_rng(0).integers(0, 4096, (200, 64, 64)).astype(np.uint16)
    with h5py.File(stored(tmp_path / "items.h5", items)) as file, ThreadPoolExecutor(6) as pool:
        orders = [np.random.default_rng(n).permutation(len(items)) for n in range(24)]
        for order, taken in zip(
            orders, pool.map(lambda order: chunks.take(file["items"], order), orders), strict=True
        ):
            np.testing.assert_array_equal(taken, items[order])


def test_hdf5_by_itself_reads_what_was_put(tmp_path):
    items = np.random.default_rng(0).integers(0, 50, (5, 8, 8)).astype(np.uint16)
    with h5py.File(stored(tmp_path / "items.h5", items)) as file:
        np.testing.assert_array_equal(file["items"][()], items)


def test_item_that_was_never_put_is_no_zeros(tmp_path):
    with h5py.File(tmp_path / "items.h5", "w", libver="latest") as file:
        array = chunks.create(file, "items", 3, (8, 8), np.uint16)
        chunks.put(array, 0, [chunks.encode(np.ones((8, 8), np.uint16))])
        with pytest.raises(ValueError, match=r"items\.h5: expected intact data, .* in item 2 of /items"):
            chunks.take(array, np.array([0, 2]))


@given(st.one_of(st.binary(min_size=1, max_size=4000), st.integers(1, 4000).map(lambda n: b"\xff" * n)))
def test_checksum_is_that_of_numcodecs(data):
    assert data + chunks.fletcher32(data) == Fletcher32().encode(data)


@pytest.mark.parametrize("size", [0, 1, 2, 720, 721, 100_001])
def test_checksum_is_that_of_hdf5(size, tmp_path):
    data = np.random.default_rng(size).integers(0, 256, size + 1, np.uint8)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        array = file.create_dataset("a", data=data, chunks=data.shape, fletcher32=True)
        file.flush()
        _, chunk = array.id.read_direct_chunk((0,))
    assert chunk[-4:] == chunks.fletcher32(data.tobytes())
