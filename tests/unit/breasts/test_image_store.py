import hashlib
import multiprocessing
import os
import signal
import time
from math import nan

import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from releases_by_hand import half_ellipse, rectangle

from mammoflow.base import storage
from mammoflow.base.boxes import BOX
from mammoflow.base.contracts.stored import STORED
from mammoflow.base.exclusions import Excluded
from mammoflow.base.shards import shard_of
from mammoflow.breasts import filling, image_store, preparation, segmentation
from mammoflow.breasts.geometry import Geometry
from mammoflow.breasts.segmentation import Region


def prepared(image_id="a", side="left", resolution="original", masks=(), laterality="L"):
    image = half_ellipse(side=side)
    region = segmentation.breast_region(image, "digital")
    return preparation.prepare(image_id, image, region, masks, laterality, resolution, 0.07)


def test_area_average_by_hand():
    image = np.array([[0, 6, 3], [6, 0, 3], [9, 9, 9]])
    np.testing.assert_allclose(preparation.shrink(image, 2), [[3, 3], [9, 9]])
    np.testing.assert_allclose(preparation.shrink(image, 1.5), [[8 / 3, 10 / 3], [22 / 3, 20 / 3]], rtol=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    factor=st.floats(1, 12) | st.sampled_from([1.1, 3.5, 4.0, 0.28 / 0.07]),
    seed=st.integers(0, 9),
)
def test_area_average_preserves_the_mean(size, factor, seed):
    image = np.random.default_rng(seed).integers(0, 2**16, size).astype(np.uint16)
    small = preparation.shrink(image, factor).astype(np.float64)
    edges = [
        np.append(np.arange(count) * factor, side) for count, side in zip(small.shape, size, strict=True)
    ]
    areas = np.outer(*map(np.diff, edges))
    assert np.isclose((small * areas).sum(), image.sum(dtype=np.float64), rtol=1e-5)
    assert image.min() - 0.1 <= small.min()
    assert small.max() <= image.max() + 0.1


@settings(max_examples=60, deadline=None)
@given(data=st.data(), factor=st.floats(1, 20), mirrored=st.booleans())
def test_no_lesion_vanishes_and_none_appears(data, factor, mirrored):
    shape = (60, 50)
    geometry = Geometry(*shape, 5, 3, 58, 47, mirrored, factor)
    boxes = []
    for _ in range(data.draw(st.integers(0, 3))):
        y0, x0 = data.draw(st.integers(5, 57)), data.draw(st.integers(3, 46))
        boxes.append((y0, x0, data.draw(st.integers(y0 + 1, 58)), data.draw(st.integers(x0 + 1, 47))))
    masks = [rectangle(shape, box) for box in boxes]
    labels = preparation.label_map(masks, geometry)
    assert labels.shape == geometry.shape
    assert set(np.unique(labels)) <= {0, *range(1, len(masks) + 1)}
    if len(masks) == 1:
        assert (labels == 1).any()
        y0, x0, y1, x1 = geometry.to_stored(boxes)[0]
        rows, columns = np.nonzero(labels)
        assert y0 - 1 < rows.min()
        assert rows.max() < y1
        assert x0 - 1 < columns.min()
        assert columns.max() < x1


def test_the_smaller_lesion_shows_where_lesions_overlap():
    shape = (20, 20)
    small, large = rectangle(shape, (5, 5, 8, 8)), rectangle(shape, (0, 0, 20, 20))
    labels = preparation.label_map([small, large], Geometry(20, 20, 0, 0, 20, 20, False, 1.0))
    np.testing.assert_array_equal(labels == 1, small)
    np.testing.assert_array_equal(labels == 2, ~small)


def test_a_thin_lesion_keeps_its_most_covered_pixel():
    mask = rectangle((16, 16), (5, 9, 6, 11))
    labels = preparation.label_map([mask], Geometry(16, 16, 0, 0, 16, 16, False, 8.0))
    assert labels.tolist() == [[0, 1], [0, 0]]


@pytest.mark.parametrize(
    ("resolution", "spacing_mm", "factor"),
    [
        ("original", None, 1.0),
        ({"factor": 2.5}, None, 2.5),
        ({"mm": 0.28}, 0.07, 4.0),
        ({"mm": 0.05}, 0.07, 1.0),
    ],
)
def test_factor(resolution, spacing_mm, factor):
    assert preparation.factor_of(resolution, spacing_mm) == factor


@pytest.mark.parametrize("spacing_mm", [None, nan])
def test_mm_need_a_spacing(spacing_mm):
    with pytest.raises(Excluded, match="spacing-unknown"):
        preparation.factor_of({"mm": 0.28}, spacing_mm)


@pytest.mark.parametrize("resolution", ["native", {"factor": 0.5}, {"mm": 0}, {"mm": nan}, {}, {"px": 3}])
def test_impossible_resolutions_are_refused(resolution):
    with pytest.raises(ValueError, match="resolution: expected"):
        preparation.factor_of(resolution, 0.07)


def test_prepared_image_is_the_crop_of_the_original():
    image, mask = half_ellipse(), rectangle((128, 96), (60, 10, 70, 20))
    stored = prepared(masks=[mask])
    g = stored.geometry
    np.testing.assert_array_equal(stored.pixels, image[g.y0 : g.y1, g.x0 : g.x1])
    np.testing.assert_array_equal(stored.lesions == 1, mask[g.y0 : g.y1, g.x0 : g.x1])
    assert stored.flags == ""
    assert (g.mirrored, g.factor) == (False, 1.0)


@pytest.mark.parametrize(("laterality", "flags"), [("R", ""), ("L", "chest wall at the right"), ("", "")])
def test_chest_wall_is_at_the_left_whatever_the_release_says(laterality, flags):
    stored = prepared(side="right", laterality=laterality)
    np.testing.assert_array_equal(stored.breast, prepared().breast)
    assert stored.geometry.mirrored
    assert stored.flags == flags


OUTSIDE = (0, 80, 20, 95)


@pytest.mark.parametrize(
    ("boxes", "flags"),
    [
        ([(60, 10, 70, 20)], ""),
        ([(60, 10, 70, 20), OUTSIDE], "lesion-outside-breast"),
        ([(60, 40, 70, 65)], ""),
        ([(60, 50, 70, 75)], "lesion-outside-breast"),
    ],
)
def test_a_mass_outside_the_breast_is_a_flag_and_changes_nothing_else(boxes, flags):
    stored, without = prepared(masks=[rectangle((128, 96), box) for box in boxes]), prepared()
    assert stored.flags == flags
    assert stored.masses == len(boxes)
    np.testing.assert_array_equal(stored.breast, without.breast)
    np.testing.assert_array_equal(stored.pixels, without.pixels)
    assert stored.geometry == without.geometry


@pytest.mark.parametrize(
    ("tried", "flags", "fallback"),
    [
        (["good"], "", False),
        (["bad", "good", "never asked"], "fallback-region", True),
        (["bad", "bad"], None, True),
    ],
)
def test_the_first_plausible_region_is_taken_and_a_fallback_is_flagged(monkeypatch, tried, flags, fallback):
    regions = {"good": half_ellipse() > 0, "bad": rectangle((128, 96), (0, 0, 3, 3))}
    monkeypatch.setitem(
        segmentation._METHODS, "digital", [lambda _, name=n: (regions[name],) * 2 for n in tried]
    )
    region = segmentation.breast_region(half_ellipse(), "digital")
    assert region.fallback == fallback
    if flags is None:
        np.testing.assert_array_equal(region.mask, regions["bad"])
        with pytest.raises(Excluded, match=r"breast-area: expected 5% to 85% of the image, got 0\.1%"):
            prepared()
    else:
        np.testing.assert_array_equal(region.mask, regions["good"])
        assert prepared().flags == flags


@settings(max_examples=40, deadline=None)
@given(data=st.data(), mirrored=st.booleans())
def test_at_the_original_resolution_a_box_holds_the_same_pixels_there_and_back(data, mirrored):
    image = np.random.default_rng(0).integers(0, 2**16, (40, 30)).astype(np.uint16)
    wall = slice(12, 30) if mirrored else slice(0, 18)
    mask = np.zeros(image.shape, bool)
    mask[4:37, wall] = True
    mask[10:30, 9:21] = True
    stored = preparation.prepare(
        "a", image, Region(mask, image), [], "R" if mirrored else "L", "original", None
    )
    assert stored.geometry.mirrored == mirrored
    g = stored.geometry
    y0, x0 = data.draw(st.integers(g.y0, g.y1 - 1)), data.draw(st.integers(g.x0, g.x1 - 1))
    box = y0, x0, data.draw(st.integers(y0 + 1, g.y1)), data.draw(st.integers(x0 + 1, g.x1))
    there = g.to_stored([box])
    v0, u0, v1, u1 = there[0].astype(int)
    assert [v0, u0, v1, u1] == there[0].tolist()
    held = stored.pixels[v0:v1, u0:u1]
    np.testing.assert_array_equal(
        held[:, ::-1] if mirrored else held, image[box[0] : box[2], box[1] : box[3]]
    )
    assert g.to_original(there).tolist() == [list(box)]


def test_digest_of_pixels_by_hand():
    image = np.array([[1, 2], [3, 256]], np.uint16)
    told = hashlib.sha256(b"2 2 " + bytes([1, 0, 2, 0, 3, 0, 0, 1])).hexdigest()
    assert preparation.pixels_digest(image) == told
    assert preparation.pixels_digest(np.asfortranarray(image)) == told
    assert preparation.pixels_digest(image.astype(">u2")) == told
    assert preparation.pixels_digest(image.reshape(1, 4)) != told


def test_overview_is_the_whole_original_with_the_region():
    image = np.pad(half_ellipse((1536, 1152)), ((0, 0), (0, 384)))
    image[20:60, 1400:1500] = 3000
    region = segmentation.breast_region(image, "digital")
    seen = preparation.overview(region)
    assert seen.picture.shape == seen.region.shape == (192, 192)
    assert (seen.rows, seen.columns) == (1536, 1536)
    assert seen.picture.dtype == np.uint8
    assert seen.picture[4, 180] == 255
    assert not seen.region[4, 180]
    assert seen.region.mean() == pytest.approx(region.mask.mean(), abs=0.005)
    assert (seen.picture[seen.region] > 150).mean() > 0.97


@pytest.mark.parametrize("resolution", ["original", {"factor": 3}, {"mm": 0.1}])
def test_store_round_trip(tmp_path, resolution):
    mask = rectangle((128, 96), (60, 10, 70, 20))
    stored = [prepared(name, resolution=resolution, masks=[mask]) for name in ("b", "a")]
    for shard, image in enumerate(stored):
        with storage.create_hdf5(tmp_path / f"{shard}.h5") as file:
            image_store.write(file, image)
            assert all(file[f"images/{image.image_id}/{name}"].fletcher32 for name in ("pixels", "breast"))
    store = image_store.open_store([tmp_path / "0.h5", tmp_path / "1.h5"])
    assert list(store) == ["a", "b"]
    for image in stored:
        loaded = store[image.image_id]
        assert loaded.pixels.dtype == np.uint16
        assert loaded.breast.dtype == bool
        assert loaded.pixels.shape == loaded.breast.shape == loaded.lesions.shape == loaded.geometry.shape
        np.testing.assert_array_equal(loaded.pixels, image.pixels)
        np.testing.assert_array_equal(loaded.breast, image.breast)
        np.testing.assert_array_equal(loaded.lesions, image.lesions)
        assert loaded.geometry == image.geometry
        assert (loaded.flags, loaded.masses) == (image.flags, 1)
        assert loaded.pixels_sha256 == image.pixels_sha256
    assert "c" not in store
    with pytest.raises(KeyError, match=r"expected one of the 2 stored in .*, got 'c'"):
        store["c"]
    with pytest.raises(ValueError, match="image 'a': expected in one shard"):
        image_store.open_store([tmp_path / "1.h5", tmp_path / "1.h5"])


class ByHand:
    """An archive in memory: good images, one without a breast, one that cannot be read, deadly ones."""

    def __init__(self, pipe=None):
        self.pipe = pipe

    def read_image(self, root, path):
        if path == "unreadable":
            raise Excluded("truncated")
        if path == "death":
            os.kill(os.getpid(), signal.SIGKILL)
        if path == "stall":
            os.write(self.pipe, b".")
            time.sleep(600)
        return np.zeros((64, 64), np.uint16) if path == "black" else half_ellipse()

    def lesion_mask(self, root, source, shape):
        return rectangle(shape, MASS)


MASS = (60, 10, 70, 20)


class Changed(ByHand):
    """The archive after other files took the place of those that were indexed."""

    def __init__(self, image=None, mass=MASS):
        self.image, self.mass = image, mass

    def read_image(self, root, path):
        return super().read_image(root, path) if self.image is None else self.image

    def lesion_mask(self, root, source, shape):
        return rectangle(shape, self.mass)


def filled(path, paths, threads, archive=None, masses=2):
    """The stage on images of these paths; the first has two masses."""
    shapes = [{"black": (64, 64)}.get(path, (128, 96)) for path in paths]
    table = pd.DataFrame(
        {
            "image_id": list("abcdefgh"[: len(paths)]),
            "path": paths,
            "laterality": "L",
            "spacing_mm": nan,
            "rows": [shape[0] for shape in shapes],
            "columns": [shape[1] for shape in shapes],
        }
    )
    lesions = pd.DataFrame({"image_id": "a", "source": [str(n) for n in range(masses)]})
    lesions = lesions.assign(**dict(zip(BOX, MASS, strict=True)), area_px=100)
    with storage.create_hdf5(path) as file:
        return STORED.check(
            filling.fill(file, table, lesions, archive or ByHand(), None, "digital", "original", threads)
        )


@pytest.mark.parametrize("threads", [1, 2])
def test_failed_images_are_listed_and_the_others_stored(tmp_path, threads):
    table = filled(tmp_path / "a.h5", ["good", "black", "unreadable", "good"], threads)
    assert table["stored"].tolist() == [True, False, False, True]
    assert table["reason"].tolist() == ["", "breast-area", "truncated", ""]
    told = [
        preparation.pixels_digest(half_ellipse()),
        preparation.pixels_digest(np.zeros((64, 64), np.uint16)),
    ]
    assert table["pixels_sha256"].tolist() == [told[0], told[1], "", told[0]]
    with storage.open_hdf5(tmp_path / "a.h5") as file:
        assert image_store.image_ids(file) == ["a", "d"]
        stored = image_store.read(file, "a")
        assert set(np.unique(stored.lesions)) == {0, 1, 2}
        assert stored.pixels_sha256 == told[0]
        assert file["images/a/pixels"].fletcher32
        assert file["images/a/pixels"].id.get_storage_size() < stored.pixels.nbytes
        seen = dict(image_store.read_overviews(file))
        assert list(seen) == ["a", "b", "d"]
        np.testing.assert_array_equal(seen["a"].region, half_ellipse() > 0)


@pytest.mark.parametrize(
    "archive",
    [Changed(image=half_ellipse((256, 192))), Changed(mass=(61, 10, 71, 20)), Changed(mass=(60, 10, 70, 19))],
)
def test_what_changed_after_it_was_indexed_is_not_stored(tmp_path, archive):
    table = filled(tmp_path / "a.h5", ["good"], 1, archive)
    assert table["reason"].tolist() == ["changed"]


def test_an_image_with_more_masses_than_memory_should_hold_is_left_out(tmp_path):
    table = filled(tmp_path / "a.h5", ["good", "good"], 1, masses=preparation.MAX_LESIONS + 1)
    assert table["reason"].tolist() == ["too-many-lesions", ""]
    table = filled(tmp_path / "b.h5", ["good"], 1, masses=preparation.MAX_LESIONS)
    assert table["stored"].all()


def test_any_number_of_processes_stores_the_same(tmp_path):
    tables = [filled(tmp_path / f"{threads}.h5", ["good", "black", "good"], threads) for threads in (1, 3)]
    pd.testing.assert_frame_equal(*tables)
    contents = []
    for threads in (1, 3):
        with storage.open_hdf5(tmp_path / f"{threads}.h5") as file:
            names = []
            file.visititems(lambda name, item, names=names: names.append((name, item)))
            contents.append(
                {
                    name: (
                        {key: str(value) for key, value in item.attrs.items()},
                        item[()].tobytes() if isinstance(item, h5py.Dataset) else None,
                    )
                    for name, item in names
                }
            )
    assert contents[0] == contents[1]


def test_a_killed_worker_is_told_and_nothing_is_left(tmp_path):
    with pytest.raises(RuntimeError, match=r"expected 2 processes until the end, got one that was killed"):
        filled(tmp_path / "a.h5", ["good", "good", "death", "good"], 2)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("threads", [1, 2])
def test_killed_in_the_middle_nothing_has_the_final_name_and_a_second_run_succeeds(tmp_path, threads):
    store = tmp_path / "shard-0.h5"
    reader, writer = os.pipe()
    stalling = store, ["good", "good", "stall"], threads, ByHand(writer)
    running = multiprocessing.get_context("fork").Process(target=filled, args=stalling)
    running.start()
    os.close(writer)
    with open(reader, "rb") as pipe:
        assert pipe.read(1) == b"."
        running.kill()
        # The pipe ends when the workers, who hold it too, have ended.
        assert pipe.read() == b""
    running.join()
    assert running.exitcode == -signal.SIGKILL
    assert not store.exists()
    assert filled(store, ["good", "good"], threads)["stored"].all()
    assert len(image_store.open_store(store)) == 2


def test_a_flipped_bit_in_a_shard_is_noticed(tmp_path):
    path = tmp_path / "shard-0.h5"
    filled(path, ["good"], 2)
    with storage.open_hdf5(path) as file:
        place = file["images/a/pixels"].id.get_chunk_info(0)
    raw = bytearray(path.read_bytes())
    raw[place.byte_offset + place.size // 2] ^= 1
    path.write_bytes(raw)
    with pytest.raises(ValueError, match=r"shard-0\.h5: expected intact data, got damaged data"):
        image_store.open_store(path)["a"]


def test_mm_are_refused_at_once_where_no_image_tells_its_spacing():
    unknown = pd.Series([nan, nan])
    with pytest.raises(ValueError, match=r"datasets\.films\.resolution: expected .* none of the 2 images"):
        preparation.require_spacing(unknown, {"mm": 0.2}, "films")
    for spacings, resolution in (
        (unknown, "original"),
        (unknown, {"factor": 3}),
        (pd.Series([nan, 0.1]), {"mm": 0.2}),
    ):
        preparation.require_spacing(spacings, resolution, "films")


def test_shards_are_stable_and_even():
    assert [shard_of(patient, 16) for patient in ("P_00001", "P_00002")] == [0, 2]
    counts = np.bincount([shard_of(f"P_{number:05d}", 8) for number in range(4000)], minlength=8)
    assert counts.min() > 400
