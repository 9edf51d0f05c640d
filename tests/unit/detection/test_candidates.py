from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mammoflow.base.boxes import BOX, overlap
from mammoflow.breasts.geometry import Geometry
from mammoflow.detection import candidates
from mammoflow.detection.candidates import FEATURES, Settings
from mammoflow.detection.mpm import Grid

WINDOW = 32
SETTINGS = Settings(smoothing=0, fractions=(0.1, 0.5, 0.9), overlap=0.2, containment=0.6)


def case(peaks, shape=(120, 100), factor=1, step=4, grey=None):
    """An image with disks at (y, x, radius, height), brighter than the rest, on which its map has cones."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    pixels = np.full(shape, 500.0) if grey is None else grey
    tops, lefts = (np.arange(0, size, step) for size in shape)
    probabilities = np.zeros((len(tops), len(lefts)))
    for cy, cx, radius, height in peaks:
        pixels = pixels + 300 * (np.hypot(y - cy, x - cx) < radius)
        away = np.hypot(tops[:, None] - cy, lefts[None] - cx)
        probabilities = np.maximum(probabilities, height * (1 - away / (2 * radius)).clip(0))
    breast = np.ones(shape, bool)
    geometry = Geometry(
        shape[0] * factor, shape[1] * factor, 0, 0, shape[0] * factor, shape[1] * factor, False, factor
    )
    image = SimpleNamespace(pixels=pixels.astype(np.uint16), breast=breast)
    return image, Grid(
        probabilities.astype(np.float32), tops.astype(float), lefts.astype(float), breast, geometry
    )


def found(peaks, window=WINDOW, changes=SETTINGS, **of_case):
    return candidates.of_image("a", *case(peaks, **of_case), window, changes)


def test_each_fraction_of_a_cone_gives_a_box_of_its_size():
    table = found([(60, 48, 16, 0.8)])
    assert list(table.columns) == ["image_id", *BOX, *FEATURES]
    by_fraction = table.set_index("fraction")
    # At a fraction f of its height, a cone of twice the radius at its foot is 2 (1 - f) radii wide.
    for fraction in (0.1, 0.5, 0.9):
        box = by_fraction.loc[fraction]
        expected = 2 * (1 - fraction) * 2 * 16
        assert box["y1"] - box["y0"] == pytest.approx(expected, abs=4)
        assert box["x1"] - box["x0"] == pytest.approx(expected, abs=4)
        assert (box["y0"] + box["y1"]) / 2 == pytest.approx(60.5, abs=1)
        assert box["peak"] == pytest.approx(0.8, abs=2e-3)


def test_a_mass_has_more_contrast_and_gradients_to_its_centre_than_its_like_without():
    bright, dull = (60, 48, 16, 0.8), (60, 48, 16, 0.8)
    noise = np.random.default_rng(0).normal(500, 20, (120, 100))
    mass = found([bright], grey=noise).set_index("fraction").loc[0.5]
    image, grid = case([dull], grey=noise)
    image.pixels = noise.astype(np.uint16)
    other = candidates.of_image("a", image, grid, WINDOW, SETTINGS).set_index("fraction").loc[0.5]
    for feature in ("grey_contrast", "grey_contrast_to_noise", "radial_gradient", "radial_direction"):
        assert mass[feature] > other[feature] + 0.2, feature
    assert mass["radial_gradient"] <= 1
    pd.testing.assert_series_equal(mass[[*BOX, "peak", "map_inside"]], other[[*BOX, "peak", "map_inside"]])


def test_features_do_not_depend_on_the_working_resolution():
    """The same breast with pixels of half the size, and windows of twice as many."""
    peaks = [(64, 48, 16, 0.8), (100, 80, 8, 0.4)]
    coarse = found(peaks, window=64, shape=(128, 96), factor=2, step=4)
    fine = found(
        [(2 * y + 0.5, 2 * x + 0.5, 2 * r, p) for y, x, r, p in peaks], window=128, shape=(256, 192), step=8
    )
    assert len(coarse) == len(fine)
    difference = (coarse[BOX] - fine[BOX]).abs().to_numpy().max()
    assert difference <= 8
    for feature in (
        "peak",
        "log_area",
        "map_inside",
        "depth",
        "from_chest_wall",
        "from_top",
    ):
        np.testing.assert_allclose(fine[feature], coarse[feature], atol=0.06, err_msg=feature)
    np.testing.assert_allclose(fine["grey_contrast"], coarse["grey_contrast"], rtol=0.1, atol=1e-6)


@pytest.mark.parametrize("peaks", [[], [(60, 48, 1, 0.9)]])
def test_an_empty_map_and_a_speck_have_no_candidates(peaks):
    assert found(peaks, step=30).empty


def test_smoothing_joins_what_noise_divides():
    image, grid = case([(60, 48, 16, 0.8)])
    noisy = grid.probabilities * np.random.default_rng(1).uniform(0.4, 1, grid.probabilities.shape)
    grid = Grid(noisy.astype(np.float32), grid.centres_y, grid.centres_x, grid.breast, grid.geometry)
    rough, smooth = (
        candidates.of_image("a", image, grid, WINDOW, Settings(smoothing, (0.9,), 0.2, 0.6))
        for smoothing in (0, 1.5)
    )
    assert len(rough) > len(smooth) == 1


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_candidates_lie_in_the_image_once_and_their_features_are_numbers(seed):
    generator = np.random.default_rng(seed)
    peaks = [
        (
            generator.uniform(0, 120),
            generator.uniform(0, 100),
            generator.uniform(1, 30),
            generator.uniform(0, 1),
        )
        for _ in range(generator.integers(0, 6))
    ]
    image, grid = case(peaks, grey=generator.uniform(0, 2000, (120, 100)))
    image.breast[:, generator.integers(1, 101) :] = False
    table = candidates.of_image("a", image, grid, int(generator.integers(8, 200)), SETTINGS)
    assert (table[["y0", "x0"]] >= 0).all(axis=None)
    assert (table["y1"] <= 120).all()
    assert (table["x1"] <= 100).all()
    assert ((table["y1"] > table["y0"]) & (table["x1"] > table["x0"])).all()
    assert not table.duplicated(BOX).any()
    assert np.isfinite(table[list(FEATURES)]).all(axis=None)


def test_a_constant_image_has_no_contrast_whatever_its_size():
    """Its last rows and columns too, where pixels of the view extend beyond it."""
    for shape in [(120, 100), (121, 103), (122, 99)]:
        image, grid = case([(shape[0] - 20, shape[1] - 20, 30, 0.9)], shape=shape)
        image.pixels[:] = 700
        table = candidates.of_image("a", image, grid, 128, SETTINGS)
        assert len(table)
        for feature in ("grey_core", "grey_around", "grey_contrast", "radial_gradient"):
            np.testing.assert_allclose(table[feature], 0, atol=1e-9, err_msg=feature)


def test_smoothing_counts_what_lies_beyond_the_grid_as_zero():
    image, _ = case([])
    geometry = Geometry(120, 100, 0, 0, 120, 100, False, 1)
    values = np.full((13, 11), 0.9, np.float32)
    grid = Grid(values, np.arange(13) * 9.0, np.arange(11) * 9.0, image.breast, geometry)
    assert candidates.smoothed(grid, 0) is values
    smooth = candidates.smoothed(grid, 0.6)
    assert smooth[6, 5] == pytest.approx(0.9)
    weights = np.exp(-0.5 * (np.arange(-2, 3) / 0.6) ** 2)
    assert smooth[6, 0] == pytest.approx(0.9 * weights[2:].sum() / weights.sum(), abs=1e-4)


def test_boxes_of_a_mirrored_breast_are_those_of_its_mirror_image():
    image, grid = case([(60, 30, 14, 0.8)])
    plain = candidates.of_image("a", image, grid, WINDOW, SETTINGS)
    turned = Geometry(400, 500, 100, 60, 400, 310, True, 2.5)
    other = Grid(grid.probabilities, grid.centres_y, grid.centres_x, grid.breast, turned)
    found = candidates.of_image("a", image, other, WINDOW, SETTINGS)
    np.testing.assert_array_equal(found[["y0", "y1"]], (plain[["y0", "y1"]] * 2.5 + 100).round())
    np.testing.assert_array_equal(found[["x1", "x0"]], (310 - plain[["x0", "x1"]] * 2.5).round())
    pd.testing.assert_frame_equal(found[list(FEATURES)], plain[list(FEATURES)])


def test_places_and_shapes_of_a_box_in_windows():
    """A wide ridge near the chest wall, 96 pixels below the top."""
    y, x = np.mgrid[:160:4, :128:4]
    ridge = (np.maximum(np.abs(y - 96) / 12, np.abs(x - 32) / 24) < 1) * np.float32(0.8)
    image, _ = case([], shape=(160, 128))
    image.breast[:, 100:] = False
    geometry = Geometry(160, 128, 0, 0, 160, 128, False, 1)
    grid = Grid(ridge, np.arange(0, 160, 4.0), np.arange(0, 128, 4.0), image.breast, geometry)
    (box,) = candidates.of_image("a", image, grid, 64, Settings(0, (0.5,), 0.2, 0.6)).itertuples()
    height, width = box.y1 - box.y0, box.x1 - box.x0
    assert (box.y0 + box.y1) / 2 == pytest.approx(96.5, abs=1)
    assert box.log_elongation == pytest.approx(np.log(height / width))
    assert box.log_elongation == pytest.approx(np.log(0.5), abs=0.2)
    assert box.log_area == pytest.approx(np.log(height * width / 64**2))
    assert box.from_chest_wall == pytest.approx(32.5 / 64, abs=0.02)
    assert box.from_top == pytest.approx(96.5 / 160, abs=0.01)
    assert box.depth == pytest.approx(32.5 / 64, abs=0.03)
    assert box.peak_below_highest == pytest.approx(0, abs=1e-3)
    assert box.map_core == pytest.approx(0.8, abs=1e-6)
    assert box.map_around < 0.2 < box.map_inside < 0.8
    assert box.map_contrast == pytest.approx(box.map_inside - box.map_around)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=50, deadline=None)
def test_what_stays_has_no_rival_and_what_goes_has_a_better_one(seed):
    generator = np.random.default_rng(seed)
    corner = generator.integers(0, 40, (12, 2))
    boxes = np.hstack([corner, corner + generator.integers(1, 30, (12, 2))])
    scores = generator.integers(0, 5, 12) / 4
    kept = candidates.suppress(boxes, scores, SETTINGS).tolist()
    assert (np.diff(scores[kept]) <= 0).all()
    iou, area = overlap(boxes, boxes), (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    shared = iou * (area[:, None] + area) / (1 + iou)
    rivals = (iou > SETTINGS.overlap) | (
        shared / np.minimum(area[:, None], area) > SETTINGS.containment + 1e-9
    )
    assert not rivals[np.ix_(kept, kept)][~np.eye(len(kept), dtype=bool)].any()
    for row in set(range(12)) - set(kept):
        assert any(rivals[row, other] and scores[other] >= scores[row] for other in kept)
