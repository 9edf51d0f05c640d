import os

import h5py
import numpy as np
import pytest

from mammoflow import storage


def test_a_file_appears_whole_under_its_name(tmp_path):
    path = tmp_path / "new" / "file.txt"
    with storage.whole(path) as temporary:
        temporary.write_text("all of it")
        assert not path.exists()
    assert path.read_text() == "all of it"
    assert os.listdir(path.parent) == ["file.txt"]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(FileNotFoundError), storage.whole(path) as temporary:
        temporary.write_bytes((tmp_path / "missing").read_bytes())
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file.txt"]


def test_hdf5_comes_back_as_written(tmp_path):
    values = np.arange(12, dtype=np.uint16).reshape(3, 4)
    with storage.create_hdf5(tmp_path / "a.h5") as file:
        file.create_dataset("values", data=values, **storage.ARRAY)
    with storage.open_hdf5(tmp_path / "a.h5") as file:
        np.testing.assert_array_equal(file["values"][:], values)


def test_hdf5_without_its_mark_is_refused(tmp_path):
    with h5py.File(tmp_path / "half.h5", "w") as file:
        file["values"] = np.zeros(3)
    with (
        pytest.raises(ValueError, match="without its completeness mark"),
        storage.open_hdf5(tmp_path / "half.h5"),
    ):
        pass


def test_truncated_hdf5_is_refused_by_name(tmp_path):
    path = tmp_path / "a.h5"
    with storage.create_hdf5(path) as file:
        file.create_dataset("values", data=np.zeros(10000), **storage.ARRAY)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"a\.h5"), storage.open_hdf5(path):
        pass


def test_a_missing_file_is_missing_not_damaged(tmp_path):
    with pytest.raises(FileNotFoundError), storage.open_hdf5(tmp_path / "none.h5"):
        pass


def test_a_flipped_bit_in_an_array_is_noticed(tmp_path):
    path = tmp_path / "a.h5"
    values = np.random.default_rng(0).integers(0, 65535, (64, 64), dtype=np.uint16)
    with storage.create_hdf5(path) as file:
        data = file.create_dataset("values", data=values, chunks=(64, 64), **storage.ARRAY)
        place = data.id.get_chunk_info(0)
    raw = bytearray(path.read_bytes())
    raw[place.byte_offset + place.size // 2] ^= 1
    path.write_bytes(raw)
    with (
        pytest.raises(ValueError, match=r"a\.h5: expected what was written"),
        storage.open_hdf5(path) as file,
    ):
        file["values"][:]


def test_errors_of_the_reader_are_its_own(tmp_path):
    with storage.create_hdf5(tmp_path / "a.h5") as file:
        file["values"] = np.zeros(3)
    with pytest.raises(KeyError, match="mine"), storage.open_hdf5(tmp_path / "a.h5"):
        raise KeyError("mine")


def test_sha256_of_known_text(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    assert storage.sha256(tmp_path / "abc").startswith("ba7816bf8f01cfea")
