"""Masks of COCO annotations: known cases, pycocotools, and what cannot be drawn."""

import json
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as oracle

from mammoflow.archives import coco_masks
from mammoflow.base.boxes import bounding_box
from mammoflow.base.exclusions import Excluded

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools

SHAPE = (40, 30)
sides = st.integers(1, 60)


def drawn(shape=SHAPE, **annotation):
    mask, flag = coco_masks.draw(annotation, shape)
    assert mask.shape == shape
    assert mask.dtype == bool
    assert mask.any()
    return mask, flag


def box_of(shape=SHAPE, **annotation):
    return bounding_box(drawn(shape, **annotation)[0])


def reason(shape=SHAPE, **annotation):
    with pytest.raises(Excluded) as caught:
        coco_masks.draw(annotation, shape)
    return caught.value.reason


# ---- known cases ---------------------------------------------------------------------------------------


def test_a_box_keeps_its_edges():
    mask, flag = drawn(bbox=[5, 10, 3, 20])
    expected = np.zeros(SHAPE, bool)
    expected[10:30, 5:8] = True
    np.testing.assert_array_equal(mask, expected)
    assert flag == ""


@pytest.mark.parametrize("segmentation", [None, [], [[]], {}])
def test_an_annotation_without_segmentation_is_its_box(segmentation):
    assert box_of(bbox=[5, 10, 3, 20], segmentation=segmentation) == (10, 5, 30, 8)


def test_a_segmentation_goes_before_the_box():
    polygon = [5, 10, 8, 10, 8, 30, 5, 30]
    mask, flag = drawn(bbox=[0, 0, 1, 1], segmentation=[polygon])
    np.testing.assert_array_equal(mask, drawn(bbox=[5, 10, 3, 20])[0])
    assert flag == ""


@pytest.mark.parametrize(
    ("bbox", "expected"),
    [
        ([4.4, 9.6, 3.2, 20], (10, 4, 30, 8)),  # the nearest edges
        ([5.5, 10.5, 2, 2], (11, 6, 13, 8)),
        ([5.2, 10.2, 0.1, 0.1], (10, 5, 11, 6)),  # thinner than a pixel
        ([5.9, 10.9, 0.05, 0.05], (10, 5, 11, 6)),
        ([0, 0, 30, 40], (0, 0, 40, 30)),
    ],
)
def test_fractions_of_pixels(bbox, expected):
    assert box_of(bbox=bbox) == expected


@pytest.mark.parametrize(
    ("bbox", "expected", "flag"),
    [
        ([-3, 10, 5, 5], (10, 0, 15, 2), "box-clipped"),
        ([28, 38, 5, 5], (38, 28, 40, 30), "box-clipped"),
        ([-100, -100, 500, 500], (0, 0, 40, 30), "box-clipped"),
        ([-0.4, -0.4, 30.8, 40.8], (0, 0, 40, 30), ""),  # rounding, and nothing more
    ],
)
def test_boxes_beyond_the_image_are_clipped_and_flagged(bbox, expected, flag):
    mask, found = drawn(bbox=bbox)
    assert (bounding_box(mask), found) == (expected, flag)
    assert mask.sum() == (expected[2] - expected[0]) * (expected[3] - expected[1])


def test_a_polygon_beyond_the_image_is_clipped_and_flagged():
    mask, flag = drawn(segmentation=[[-5, -5, 10, -5, 10, 10, -5, 10]])
    assert (bounding_box(mask), flag) == ((0, 0, 10, 10), "contour-clipped")


def test_several_polygons_are_one_mass_and_their_overlap_belongs_to_it():
    first, second = [0, 0, 6, 0, 6, 6, 0, 6], [4, 4, 10, 4, 10, 10, 4, 10]
    assert drawn(segmentation=[first, second])[0].sum() == 36 + 36 - 4


def test_runs_go_down_the_columns():
    mask, _ = drawn((2, 3), segmentation={"size": [2, 3], "counts": [1, 2, 3]})
    np.testing.assert_array_equal(mask, [[0, 1, 0], [1, 0, 0]])


# ---- an independent implementation -----------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1), sides, sides)
def test_polygons_are_those_of_pycocotools(seed, rows, columns):
    generator = np.random.default_rng(seed)
    step = generator.choice([0.01, 0.5, 1])
    polygons = [
        (generator.uniform(-20, 80, 2 * generator.integers(3, 12)) / step).round() * step for _ in range(2)
    ]
    polygons = [polygon.tolist() for polygon in polygons]
    expected = oracle.decode(oracle.merge(oracle.frPyObjects(polygons, rows, columns))).astype(bool)
    if expected.any():
        np.testing.assert_array_equal(drawn((rows, columns), segmentation=polygons)[0], expected)
    else:
        assert reason((rows, columns), segmentation=polygons) == "contour-outside"


@given(st.integers(0, 2**32 - 1), sides, sides)
def test_runs_are_those_of_pycocotools(seed, rows, columns):
    generator = np.random.default_rng(seed)
    mask = generator.random((rows, columns)) < generator.random()
    mask[generator.integers(rows), generator.integers(columns)] = True
    text = oracle.encode(np.asfortranarray(mask, np.uint8))["counts"].decode()
    size = [rows, columns]
    np.testing.assert_array_equal(
        drawn((rows, columns), segmentation={"size": size, "counts": text})[0], mask
    )
    flat = np.concatenate([[False], mask.T.ravel()])
    starts = np.flatnonzero(np.diff(flat, append=~flat[-1]))
    counts = np.diff(starts, prepend=0).tolist()
    counts[-1] += rows * columns - sum(counts)
    np.testing.assert_array_equal(
        drawn((rows, columns), segmentation={"size": size, "counts": counts})[0], mask
    )


@given(st.data())
def test_a_box_of_whole_pixels_comes_back(data):
    rows, columns = data.draw(sides), data.draw(sides)
    y0, x0 = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, columns - 1))
    y1, x1 = data.draw(st.integers(y0 + 1, rows)), data.draw(st.integers(x0 + 1, columns))
    number = data.draw(st.sampled_from([int, float]))
    bbox = [number(each) for each in (x0, y0, x1 - x0, y1 - y0)]
    bbox = json.loads(json.dumps(bbox))
    mask, flag = drawn((rows, columns), bbox=bbox)
    assert (bounding_box(mask), flag) == ((y0, x0, y1, x1), "")
    assert mask.sum() == (y1 - y0) * (x1 - x0)


# ---- what cannot be drawn --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bbox",
    [
        None,
        "1,2,3,4",
        [1, 2, 3],
        [1, 2, 3, 4, 5],
        [1, 2, 3, "4"],
        [1, 2, 3, True],
        [1, 2, 3, None],
        [1, 2, 3, float("nan")],
        [1, 2, 3, float("inf")],
        [1, 2, 3, 1e300],
        [1, 2, 3, 10**400],
        [1, 2, 0, 4],
        [1, 2, 3, -4],
        {"x": 1},
    ],
)
def test_boxes_that_cannot_be_understood(bbox):
    assert reason(bbox=bbox) == "bad-annotation"


@pytest.mark.parametrize(
    "bbox", [[30, 0, 5, 5], [0, 40, 5, 5], [-5, 0, 5, 5], [-9, -9, 3, 3], [99, 99, 1, 1]]
)
def test_boxes_outside_the_image(bbox):
    assert reason(bbox=bbox) == "contour-outside"


@pytest.mark.parametrize(
    ("segmentation", "expected"),
    [
        ("polygon", "bad-annotation"),
        ([5], "bad-annotation"),
        ([[1, 2, 3, 4, 5]], "bad-annotation"),
        ([[1, 2, 3, 4, 5, "6"]], "bad-annotation"),
        ([[1, 2, 3, 4, 5, float("nan")]], "bad-annotation"),
        ([[1, 1, 9, 1, 9, 9], None], "bad-annotation"),
        ([[1, 2, 3, 4]], "contour-points"),
        ([[1, 1, 9, 1, 9, 9], []], "contour-points"),
        ([[1, 1, 1, 1, 1, 1]], "contour-outside"),
        ([[50, 50, 60, 50, 60, 60]], "contour-outside"),
        ([[0, 0, 9e8, 0, 9e8, 9e8]], "bad-annotation"),
        ({"size": [30, 40], "counts": [1200]}, "mask-size"),
        ({"size": "40", "counts": [1200]}, "mask-size"),
        ({"counts": [600, 600]}, "mask-size"),
        ({"size": [40, 30]}, "bad-annotation"),
        ({"size": [40, 30], "counts": [600, 601]}, "bad-annotation"),
        ({"size": [40, 30], "counts": [600, -1, 601]}, "bad-annotation"),
        ({"size": [40, 30], "counts": [600.0, 600.0]}, "bad-annotation"),
        ({"size": [40, 30], "counts": [10**30]}, "bad-annotation"),
        ({"size": [40, 30], "counts": [1200]}, "mask-constant"),
        ({"size": [40, 30], "counts": []}, "bad-annotation"),
        ({"size": [40, 30], "counts": "not runs"}, "bad-annotation"),
        ({"size": [40, 30], "counts": "`" * 9}, "bad-annotation"),
        ({"size": [40, 30], "counts": "\ud800"}, "bad-annotation"),
    ],
)
def test_segmentations_that_cannot_be_drawn(segmentation, expected):
    assert reason(segmentation=segmentation, bbox=[1, 1, 5, 5]) == expected


def test_a_large_polygon_takes_no_long_time():
    angles = np.linspace(0, 2 * np.pi, 5000)
    points = np.column_stack([1500 + 1400 * np.cos(angles), 2000 + 1800 * np.sin(angles)])
    begun = time.process_time()
    mask, _ = drawn((4000, 3000), segmentation=[points.ravel().tolist()])
    assert time.process_time() - begun < 5
    assert mask.sum() == pytest.approx(np.pi * 1400 * 1800, rel=1e-3)
