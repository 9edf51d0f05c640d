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
        "grey_contrast",
    ):
        np.testing.assert_allclose(fine[feature], coarse[feature], atol=0.3, err_msg=feature)


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


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=50, deadline=None)
def test_what_is_suppressed_has_a_better_rival_and_what_stays_has_none(seed):
    generator = np.random.default_rng(seed)
    corner = generator.integers(0, 40, (12, 2))
    boxes = np.hstack([corner, corner + generator.integers(1, 30, (12, 2))])
    scores = generator.integers(0, 5, 12) / 4
    kept = candidates.suppress(boxes, scores, SETTINGS)
    assert (np.diff(scores[kept]) <= 0).all()
    among = overlap(boxes[kept], boxes[kept])
    assert (among[~np.eye(len(kept), dtype=bool)] <= SETTINGS.overlap).all()
    inside = (among > SETTINGS.overlap).any(axis=1)
    assert inside.all()  # each overlaps with itself alone
    for row in set(range(12)) - set(kept.tolist()):
        better = [other for other in kept if scores[other] >= scores[row]]
        assert len(candidates.suppress(boxes[[row, *better]], np.r_[0, scores[better] + 1], SETTINGS)) == len(
            better
        )
