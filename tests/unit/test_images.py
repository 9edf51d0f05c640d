from math import nan

import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from releases_by_hand import half_ellipse, rectangle

from mammoflow import breast, images, storage
from mammoflow.breast import Geometry
from mammoflow.exclusions import Excluded


def prepared(image_id="a", side="left", resolution="original", masks=(), laterality="L"):
    return images.prepare(image_id, half_ellipse(side=side), masks, laterality, "digital", resolution, 0.07)


def test_area_average_by_hand():
    image = np.array([[0, 6, 3], [6, 0, 3], [9, 9, 9]])
    np.testing.assert_allclose(images.shrink(image, 2), [[3, 3], [9, 9]])
    np.testing.assert_allclose(images.shrink(image, 1.5), [[8 / 3, 10 / 3], [22 / 3, 20 / 3]], rtol=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    factor=st.floats(1, 12) | st.sampled_from([1.1, 3.5, 4.0, 0.28 / 0.07]),
    seed=st.integers(0, 9),
)
def test_area_average_preserves_the_mean(size, factor, seed):
    image = np.random.default_rng(seed).integers(0, 2**16, size).astype(np.uint16)
    small = images.shrink(image, factor).astype(np.float64)
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
    labels = images.label_map(masks, geometry)
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
    labels = images.label_map([small, large], Geometry(20, 20, 0, 0, 20, 20, False, 1.0))
    np.testing.assert_array_equal(labels == 1, small)
    np.testing.assert_array_equal(labels == 2, ~small)


def test_a_thin_lesion_keeps_its_most_covered_pixel():
    mask = rectangle((16, 16), (5, 9, 6, 11))
    labels = images.label_map([mask], Geometry(16, 16, 0, 0, 16, 16, False, 8.0))
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
    assert images.factor_of(resolution, spacing_mm) == factor


@pytest.mark.parametrize("spacing_mm", [None, nan])
def test_mm_need_a_spacing(spacing_mm):
    with pytest.raises(Excluded, match="spacing-unknown"):
        images.factor_of({"mm": 0.28}, spacing_mm)


@pytest.mark.parametrize("resolution", ["native", {"factor": 0.5}, {"mm": 0}, {"mm": nan}, {}, {"px": 3}])
def test_impossible_resolutions_are_refused(resolution):
    with pytest.raises(ValueError, match="resolution: expected"):
        images.factor_of(resolution, 0.07)


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


def test_masses_have_no_say_in_the_threshold_of_a_film(monkeypatch):
    seen = []
    methods = [lambda small, n=n: seen.append(n) or (small > 0, small > 0) for n in range(2)]
    monkeypatch.setitem(breast._METHODS, "film", methods)
    masks = [rectangle((128, 96), OUTSIDE)]
    stored = images.prepare("a", half_ellipse(), masks, "L", "film", "original", None)
    assert seen == [0]
    assert stored.flags == "lesion-outside-breast"


@pytest.mark.parametrize("resolution", ["original", {"factor": 3}, {"mm": 0.1}])
def test_store_round_trip(tmp_path, resolution):
    mask = rectangle((128, 96), (60, 10, 70, 20))
    stored = [prepared(name, resolution=resolution, masks=[mask]) for name in ("b", "a")]
    for shard, image in enumerate(stored):
        with storage.create_hdf5(tmp_path / f"{shard}.h5") as file:
            images.write(file, image)
            assert all(file[f"images/{image.image_id}/{name}"].fletcher32 for name in ("pixels", "breast"))
    store = images.open_store([tmp_path / "0.h5", tmp_path / "1.h5"])
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
    assert "c" not in store
    with pytest.raises(KeyError, match=r"expected one of the 2 stored in .*, got 'c'"):
        store["c"]
    with pytest.raises(ValueError, match="image 'a': expected in one shard"):
        images.open_store([tmp_path / "1.h5", tmp_path / "1.h5"])


class ByHand:
    """An archive in memory: a good image, one without a breast, one that cannot be read."""

    def read_image(self, root, path):
        if path == "unreadable":
            raise Excluded("truncated")
        return np.zeros((64, 64), np.uint16) if path == "black" else half_ellipse()

    def lesion_mask(self, root, source, shape):
        return rectangle(shape, (60, 10, 70, 20))


def test_failed_images_are_listed_and_the_others_stored():
    columns = ["image_id", "path", "laterality", "spacing_mm"]
    rows = [
        ("a", "good", "L", nan),
        ("b", "black", "L", nan),
        ("c", "unreadable", "L", nan),
        ("d", "good", "R", nan),
    ]
    lesions = pd.DataFrame({"image_id": ["a", "a"], "source": ["1", "2"]})
    with h5py.File("memory", "w", driver="core", backing_store=False) as file:
        table = images.fill(
            file,
            pd.DataFrame(rows, columns=columns),
            lesions,
            ByHand(),
            None,
            "digital",
            "original",
            threads=2,
        )
        assert images.image_ids(file) == ["a", "d"]
        assert set(np.unique(images.read(file, "a").lesions)) == {0, 1, 2}
    assert table["stored"].tolist() == [True, False, False, True]
    assert table["reason"].tolist() == ["", "breast-area", "truncated", ""]
    assert table["detail"].iloc[3] == "chest wall at the left"


def test_shards_are_stable_and_even():
    assert [images.shard_of(patient, 16) for patient in ("P_00001", "P_00002")] == [0, 2]
    counts = np.bincount([images.shard_of(f"P_{number:05d}", 8) for number in range(4000)], minlength=8)
    assert counts.min() > 400
