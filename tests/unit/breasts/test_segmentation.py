from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from releases_by_hand import half_ellipse
from skimage.filters import threshold_otsu

from mammoflow.breasts import geometry, segmentation
from mammoflow.breasts.geometry import Geometry
from mammoflow.phantoms import anatomy, patients


@st.composite
def geometries(draw):
    rows, columns = draw(st.integers(1, 5000)), draw(st.integers(1, 5000))
    y0, x0 = draw(st.integers(0, rows - 1)), draw(st.integers(0, columns - 1))
    y1, x1 = draw(st.integers(y0 + 1, rows)), draw(st.integers(x0 + 1, columns))
    return Geometry(rows, columns, y0, x0, y1, x1, draw(st.booleans()), draw(st.floats(1, 50)))


@given(geometries(), st.data())
def test_any_box_there_and_back_is_unchanged(geometry, data):
    y0, x0 = data.draw(st.integers(0, geometry.rows)), data.draw(st.integers(0, geometry.columns))
    box = [[y0, x0, data.draw(st.integers(y0, geometry.rows)), data.draw(st.integers(x0, geometry.columns))]]
    stored = geometry.to_stored(np.array(box))
    assert stored.dtype == np.float64
    back = geometry.to_original(stored)
    assert back.dtype == np.int64
    assert back.tolist() == box


@given(geometries())
def test_attributes_there_and_back(geometry):
    assert Geometry.from_attributes({**geometry.to_attributes(), "other": 1}) == geometry


@given(geometries())
def test_the_whole_stored_image_is_the_crop(geometry):
    rows, columns = geometry.shape
    y0, x0, y1, x1 = geometry.to_stored([[geometry.y0, geometry.x0, geometry.y1, geometry.x1]])[0]
    assert (y0, x0) == (0, 0)
    assert y1 == pytest.approx(rows, abs=1)
    assert x1 == pytest.approx(columns, abs=1)


def test_mirror_by_hand():
    geometry = Geometry(10, 20, 2, 4, 8, 16, mirrored=True, factor=2.0)
    assert geometry.shape == (3, 6)
    assert geometry.to_stored([[2, 12, 4, 16]]).tolist() == [[0, 0, 1, 2]]
    assert geometry.to_original([[0, 0, 1, 2]]).tolist() == [[2, 12, 4, 16]]
    assert geometry.to_stored(np.empty((0, 4))).shape == (0, 4)


def test_boxes_beyond_the_image_are_clipped():
    geometry = Geometry(7, 7, 0, 0, 7, 7, mirrored=False, factor=4.0)
    assert geometry.shape == (2, 2)
    assert geometry.to_original([[0, 0, 2, 2]]).tolist() == [[0, 0, 7, 7]]


@pytest.mark.parametrize("box", [(0, 0, 0, 5), (0, 0, 11, 5), (-1, 0, 5, 5), (5, 0, 4, 5)])
def test_crops_outside_the_image_are_refused(box):
    with pytest.raises(ValueError, match="expected a crop box"):
        Geometry(10, 10, *box, mirrored=False, factor=1.0)


def film(seed=0, shape=(1200, 900), noise=3.0):
    """A film as a digitiser sees it, and its breast: fog, fading skin, dense tissue, label, tape, padding."""
    rng = np.random.default_rng(seed)
    y, x = np.ogrid[: shape[0], : shape[1]]
    radius = np.sqrt(((y - 600) / 480) ** 2 + ((x - 60) / 600) ** 2)
    truth = (radius < 1) & (x >= 60)
    image = np.full(shape, 20.0) + 10 * (y / shape[0])
    image += truth * (60 + 90 * np.clip((1 - radius) / 0.15, 0, 1))
    image += 90 * (((y - 620) / 120) ** 2 + ((x - 300) / 150) ** 2 < 1)
    image[40:160, 700:840] = 250
    image[:14, 60:] = 240
    image += rng.normal(0, noise, shape)
    image[:, :60] = 0
    return (np.clip(image, 0, 255) * 200).astype(np.uint16), truth


def dice(a, b):
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("flipped", [False, True])
def test_film_without_its_label_tape_and_padding(seed, flipped):
    image, truth = film(seed)
    if flipped:
        image, truth = image[:, ::-1], truth[:, ::-1]
    region = segmentation.breast_region(image, "film")
    assert dice(region.mask, truth) > 0.97
    assert region.mask.dtype == bool
    assert (region.fallback, region.problem) == (False, None)
    assert segmentation.chest_wall(region.mask) == ("right" if flipped else "left")


@cache
def phantom_dice(cohort):
    """Overlap of the regions found on phantoms with the breast drawn, and with what raw Otsu takes for it."""
    settings = patients.Settings(cohort, 100, anatomy.Detector(560, 420, 0.2), 0.5)
    found, raw = [], []
    for number in range(5):
        patient = patients.draw(settings, 5, number)
        for exposure in patient.exposures[:2]:
            view, side = exposure.breast.views[exposure.view], exposure.breast.side
            truth = anatomy.breast_mask(view, side, settings.detector)
            image = patients.expose(settings, 5, patient, exposure)
            region = segmentation.breast_region(image, cohort)
            assert (region.fallback, region.problem) == (False, None)
            assert segmentation.chest_wall(region.mask) == geometry.expected_side(side)
            found.append(dice(region.mask, truth))
            raw.append(dice(image > threshold_otsu(image), truth))
    return np.array(found), np.array(raw)


@pytest.mark.parametrize(("cohort", "median", "worst"), [("film", 0.99, 0.975), ("digital", 0.995, 0.99)])
def test_overlap_with_the_breast_of_phantoms(cohort, median, worst):
    found, _ = phantom_dice(cohort)
    assert np.median(found) > median
    assert found.min() > worst


def test_raw_otsu_takes_dense_tissue_for_the_breast_of_a_film():
    found, raw = phantom_dice("film")
    assert (found > raw).all()
    assert raw.min() < 0.8


@pytest.mark.parametrize("side", ["left", "right"])
def test_digital_image_is_what_is_not_background(side):
    image = half_ellipse((400, 300), side=side)
    region = segmentation.breast_region(image, "digital")
    np.testing.assert_array_equal(region.mask, image > 0)
    assert not region.fallback
    assert segmentation.chest_wall(region.mask) == side


def test_digital_image_whose_background_is_not_one_value_falls_back_on_the_films_method():
    clean = half_ellipse((400, 300))
    image = (clean + np.random.default_rng(0).normal(300, 40, clean.shape).clip(0)).astype(np.uint16)
    region = segmentation.breast_region(image, "digital")
    assert (region.fallback, region.problem) == (True, None)
    assert dice(region.mask, clean > 0) > 0.97


@pytest.mark.parametrize("acquisition", ["film", "digital"])
def test_a_foreground_in_two_large_pieces_is_no_breast(acquisition):
    image = half_ellipse((400, 300))
    image[190:210] = 0
    region = segmentation.breast_region(image, acquisition)
    assert region.problem.reason == "breast-fragmented"
    assert region.fallback


def test_light_around_a_film_that_lies_askew_is_no_foreground():
    image = half_ellipse((400, 300)) + np.uint16(100)
    light = np.arange(300) > 272 + np.arange(400)[:, None] / 20
    image[light] = 4000
    assert np.count_nonzero(light) > 0.13 * np.count_nonzero(image > 1000)
    region = segmentation.breast_region(image, "film")
    assert (region.fallback, region.problem) == (False, None)
    assert dice(region.mask, half_ellipse((400, 300)) > 0) > 0.97


def test_holes_are_filled_and_specks_left_out():
    image = half_ellipse((400, 300))
    image[200:210, 40:50] = 0
    image[5:15, 250:290] = 3000
    region = segmentation.breast_region(image, "digital").mask
    assert region[205, 45]
    assert not region[:20, 240:].any()


@pytest.mark.parametrize("acquisition", ["film", "digital"])
@pytest.mark.parametrize("image", [np.zeros((300, 200), np.uint16), np.full((300, 200), 9, np.uint16)])
def test_images_without_a_breast_have_a_problem(acquisition, image):
    region = segmentation.breast_region(image, acquisition)
    assert region.problem.reason == "breast-area"
    assert region.mask.shape == image.shape


def test_unknown_acquisition():
    with pytest.raises(ValueError, match="acquisition: expected one of film, digital, got 'tomo'"):
        segmentation.breast_region(half_ellipse(), "tomo")


@pytest.mark.parametrize(("laterality", "side"), [("L", "left"), ("R", "right"), ("", "left")])
def test_laterality_decides_where_the_shape_does_not(laterality, side):
    assert segmentation.chest_wall(np.ones((5, 5), bool), laterality) == side


@pytest.mark.parametrize("side", ["left", "right"])
def test_dark_lines_of_the_digitiser_at_the_chest_wall_are_no_breast(side):
    image = half_ellipse((1024, 700), side=side)
    seen = segmentation.breast_region(image, "film").mask
    lines = (0, 1) if side == "left" else (-1, -2)
    assert seen[:, lines].any(axis=0).all()
    image[:, lines[0]] = 0
    image[:, lines[1]] = image[:, lines[1]] * 0.8
    region = segmentation.breast_region(image, "film").mask
    assert not region[:, lines].any()
    beside = 2 if side == "left" else -3
    np.testing.assert_array_equal(region[:, beside], seen[:, beside])


@pytest.mark.parametrize("acquisition", ["film", "digital"])
@pytest.mark.parametrize("side", [1, 2, 5, 28, 33, 38])
@pytest.mark.parametrize("shape", [(5, 5), (40, 40), (512, 512), (7, 90), (2, 1100)])
def test_any_image_has_a_region_or_a_problem(acquisition, side, shape):
    image = np.zeros(shape, np.uint16)
    image[:side, :side] = np.random.default_rng(side).integers(900, 1000, image[:side, :side].shape)
    region = segmentation.breast_region(image, acquisition)
    assert region.mask.shape == shape
    assert region.mask.any() or region.problem
