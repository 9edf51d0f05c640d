import os

import h5py
import numpy as np
import pytest

from mammoflow.base import storage


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


def test_what_a_killed_process_left_of_the_same_file_goes_with_the_next_write(tmp_path):
    for name in (".1.partial.a.h5", ".12345.partial.a.h5", ".1.partial.b.h5", ".1.partial.aa.h5"):
        (tmp_path / name).write_bytes(b"half")
    with storage.whole(tmp_path / "a.h5") as temporary:
        temporary.write_bytes(b"all of it")
    assert sorted(os.listdir(tmp_path)) == [".1.partial.aa.h5", ".1.partial.b.h5", "a.h5"]


def write_text(path, text, before=lambda: None):
    with storage.whole(path) as temporary:
        temporary.write_text(text)
        before()


def test_the_second_of_two_writers_wins_and_the_first_fails(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"

    def another():
        monkeypatch.setattr(os, "getpid", lambda: 1)
        write_text(path, "second")

    with pytest.raises(FileNotFoundError):
        write_text(path, "first", another)
    assert path.read_text() == "second"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_read_only_folder_is_named(disk, tmp_path):
    closed = disk(tmp_path / "closed", "1m")
    closed.close()
    for path in (closed.folder / "a.csv", closed.folder / "new" / "a.csv"):
        with pytest.raises(OSError, match=r"a\.csv: expected a folder that can be written, got 'Read-only"):
            write_text(path, "text")


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
    with (
        pytest.raises(FileNotFoundError, match=r"none\.h5: expected the file that an earlier job made"),
        storage.open_hdf5(tmp_path / "none.h5"),
    ):
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
        pytest.raises(ValueError, match=r"a\.h5: expected intact data"),
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
