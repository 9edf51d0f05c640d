"""A full disk while a stage writes each kind of file."""

import errno
import os
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import trainings
from matplotlib.figure import Figure

from mammoflow.base import storage
from mammoflow.base.contracts.detections import DETECTIONS
from mammoflow.breasts import image_store
from mammoflow.breasts.geometry import Geometry
from mammoflow.detection import mpm
from mammoflow.report.figures import style
from mammoflow.training import resume

N = 20_000
GEOMETRY = Geometry(rows=400, columns=400, y0=0, x0=0, y1=400, x1=400, mirrored=False, factor=1.0)


def noise(*shape):
    return np.random.default_rng(0).random(shape)


def boxes():
    corners = dict.fromkeys(("y0", "x0"), 1) | dict.fromkeys(("y1", "x1"), 9)
    return pd.DataFrame({"image_id": "a", "threshold": noise(N), **corners, "score": noise(N)[::-1]})


def write_table(path):
    DETECTIONS.write(boxes(), path)


def write_store(path):
    pixels = (noise(400, 400) * 65535).astype(np.uint16)
    lesions = np.zeros((400, 400), np.uint8)
    with storage.create_hdf5(path) as file:
        for n in range(3):
            image_store.write(
                file,
                image_store.StoredImage(str(n), pixels, lesions == 0, lesions, GEOMETRY, "", 0, "digest"),
            )


def write_maps(path):
    breast = np.ones((400, 400), bool)
    with storage.create_hdf5(path) as file:
        for n in range(3):
            centres = np.arange(300.0)
            mpm.write_grid(
                file,
                str(n),
                mpm.Grid(noise(300, 300).astype(np.float32), centres, centres, breast, GEOMETRY),
            )


def write_state(path):
    resume.Checkpoint(path, resume.identity(seed=1)).write({"epoch": 1}, {"variables": [noise(100, 1000)]})


def write_page(path):
    with storage.whole(path) as temporary:
        temporary.write_text("<p>text</p>" * N)


def write_figure(path):
    figure = Figure(figsize=(4, 4))
    figure.add_subplot().imshow(noise(800, 800))
    style.save(figure, path)


def network():
    import keras

    return keras.Sequential([keras.Input((300,)), keras.layers.Dense(300)])


def write_weights(path):
    from mammoflow.networks import trained

    fitted = SimpleNamespace(
        model=network(), best_epoch=1, history=[1], validation_loss=0.5, patches_per_second=1
    )
    trained.save(fitted, path, path.with_name("model.json"), {})


def write_notop(path):
    import keras

    from mammoflow.networks import backbones

    image = keras.Input((8, 8, 3))
    body = keras.Model(image, keras.layers.Conv2D(512, 16, padding="same")(image), name="body")
    with storage.whole(path) as temporary:
        backbones.save_notop(keras.Sequential([body, keras.layers.Flatten()]), temporary)


WRITERS = {
    "images.csv": write_table,
    "shard-0.h5": write_store,
    "bank.h5": trainings.write_bank,
    "fold-0.h5": write_maps,
    "run-0.state": write_state,
    "model.weights.h5": write_weights,
    "inceptionv3.h5": write_notop,
    "detections.parquet": write_table,
    "figure-3.png": write_figure,
    "figure-3.svg": write_figure,
    "report.html": write_page,
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_ends_in_one_sentence_and_nothing_under_the_name(disk, tmp_path, name):
    write = WRITERS[name]
    small = disk(tmp_path / "small", "4m")
    path = small.folder / "folder" / name
    path.parent.mkdir()
    for free in (0, 8192, 40960, 90112):
        small.fill(free)
        with pytest.raises(OSError, match=re.escape(f"{path}: expected ")) as caught:
            write(path)
        assert caught.value.errno == errno.ENOSPC
        assert re.search(
            r"expected .* MB.*, got 'No space left on device' with .* MB of 4\.2 MB free", str(caught.value)
        )
        assert os.listdir(path.parent) == []
    small.empty()
    write(path)
    assert path.stat().st_size > 90112


def write_arrays(path, between):
    """Nine arrays, and something that happens after each."""
    with storage.create_hdf5(path) as file:
        for n in range(9):
            between(file, n)
            file.create_dataset(f"{n}", data=noise(100, 100), **storage.ARRAY)


def test_room_that_comes_back_too_late_makes_no_file_with_a_hole(disk, tmp_path):
    """HDF5 forgets a chunk that it could not write while it closed an array, and goes on."""
    small = disk(tmp_path / "small", "4m")
    small.fill(40960)
    with pytest.raises(OSError, match="No space left"):
        write_arrays(small.folder / "a.h5", lambda file, n: small.empty() if n == 3 else None)
    assert os.listdir(small.folder) == []


@pytest.mark.parametrize("make", ["create_group", "require_group"])
def test_a_file_goes_no_further_than_the_next_group(disk, tmp_path, make):
    small, reached = disk(tmp_path / "small", "4m"), []
    small.fill(40960)

    def between(file, n):
        reached.append(n)
        getattr(file, make)(f"group {n}")

    with pytest.raises(OSError, match="No space left"):
        write_arrays(small.folder / "a.h5", between)
    assert len(reached) < 4


def test_room_that_is_known_to_lack_is_asked_for_before(disk, tmp_path):
    small = disk(tmp_path / "small", "4m")
    asked = r"a\.h5: expected 5\.0 MB on its disk, got 'No space left on device' with 4\.2 MB of 4\.2 MB free"
    with pytest.raises(OSError, match=asked), storage.whole(small.folder / "a.h5", room=5_000_000):
        pytest.fail("the block began")


def test_events_that_find_no_room_say_so(disk, tmp_path):
    from mammoflow.training import callbacks

    small = disk(tmp_path / "small", "16k")
    progress = SimpleNamespace(rows=[{"epoch": n, "loss": 0.5} for n in range(1000)])
    events = callbacks.Events(small.folder / "events", progress)
    events.on_train_begin()
    with pytest.raises(OSError, match=r"events: expected room for TensorBoard's events, got a full disk"):
        events.on_epoch_end(0)
