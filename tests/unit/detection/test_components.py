import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from skimage.measure import label, regionprops

from mammoflow.base.boxes import BOX
from mammoflow.base.contracts.detections import DETECTIONS
from mammoflow.breasts.geometry import Geometry
from mammoflow.detection import components, mpm


def listed(found):
    """(level, y0, x0, y1, x1, score) of each box at each threshold, sorted."""
    columns = (found.boxes.tolist(), found.first, found.last, found.score)
    return sorted(
        (level, *box, int(score))
        for box, first, last, score in zip(*columns, strict=True)
        for level in range(first, last + 1)
    )


def level_by_level(quantised):
    return sorted(
        (level, *region.bbox, int(region.intensity_max))
        for level in range(int(quantised.max(initial=0)))
        for region in regionprops(label(quantised > level, connectivity=2), quantised)
    )


def find(rows):
    return listed(components.find(np.array(rows, np.uint16)))


def test_nothing_in_an_empty_map():
    found = components.find(np.zeros((4, 5), np.uint16))
    assert found.boxes.shape == (0, 4)
    assert listed(found) == []


def test_constant_map_is_one_box_below_its_level():
    found = components.find(np.full((3, 4), 5, np.uint16))
    np.testing.assert_array_equal(found.boxes, [[0, 0, 3, 4]])
    assert (found.first.tolist(), found.last.tolist(), found.score.tolist()) == ([0], [4], [5])


def test_diagonal_neighbours_are_one_component():
    assert find([[1, 0], [0, 1]]) == [(0, 0, 0, 2, 2, 1)]


def test_two_peaks_merge_at_their_saddle():
    assert find([[3, 1, 2]]) == [
        (0, 0, 0, 1, 3, 3),
        (1, 0, 0, 1, 1, 3),
        (1, 0, 2, 1, 3, 2),
        (2, 0, 0, 1, 1, 3),
    ]


def test_strictly_greater():
    assert find([[0, 2, 0]]) == [(0, 0, 1, 1, 2, 2), (1, 0, 1, 1, 2, 2)]


def test_box_is_listed_once_while_it_stays_the_same():
    found = components.find(np.array([[0, 900, 0, 0, 400]], np.uint16))
    assert sorted(zip(found.first.tolist(), found.last.tolist(), strict=True)) == [(0, 399), (0, 899)]


def test_input_not_modified():
    quantised = np.array([[1, 3, 1, 0, 2]], np.uint16)
    before = quantised.copy()
    components.find(quantised)
    np.testing.assert_array_equal(quantised, before)


@settings(max_examples=300, deadline=None)
@given(arrays(np.uint16, array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.integers(0, 6)))
def test_same_boxes_as_labelling_at_each_level(quantised):
    assert listed(components.find(quantised)) == level_by_level(quantised)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([5, 20, 100]))
def test_same_boxes_on_interpolated_maps(seed, levels):
    generator = np.random.default_rng(seed)
    centres_y, centres_x = np.arange(4, 60, 8), np.arange(4, 44, 8)
    probabilities = (generator.random((7, 5)) ** 2).astype(np.float32)
    y, x = np.ogrid[:64, :48]
    breast = (y / 32 - 1) ** 2 + (x / 40) ** 2 < 1
    values = mpm.probability_map(probabilities, centres_y, centres_x, breast)
    quantised = components.quantise(values, levels)
    assert listed(components.find(quantised)) == level_by_level(quantised)


@settings(max_examples=100, deadline=None)
@given(
    arrays(np.float32, (4, 5), elements=st.floats(0, 1, width=32)), st.sampled_from([1, 7, 100, 1000, 65535])
)
def test_quantised_map_exceeds_a_level_where_the_map_does(probabilities, levels):
    on_levels = np.concatenate([probabilities, np.float32([[0, 1, 0.5, 1 / levels, 3 / 7]])])
    quantised = components.quantise(on_levels, levels)
    for level in {0, 1, levels // 2, levels // 3, levels - 1, levels}:
        np.testing.assert_array_equal(quantised > level, on_levels.astype(float) > level / levels)


def test_quantise_refuses():
    with pytest.raises(ValueError, match=r"in \[0, 1\], got 0.0 to 2.0"):
        components.quantise(np.float32([[0, 2]]), 1000)
    with pytest.raises(ValueError, match=r"in \[0, 1\], got nan"):
        components.quantise(np.float32([[0, np.nan]]), 1000)
    with pytest.raises(ValueError, match="levels: expected 1 to 65535, got 0"):
        components.quantise(np.float32([[0, 1]]), 0)


@pytest.fixture
def few_cells():
    """Room for so little that maps of more than a peak or two are taken in bands."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(components, "_CELLS", 8)
        yield


@pytest.mark.usefixtures("few_cells")
@settings(max_examples=100, deadline=None)
@given(arrays(np.uint16, array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.integers(0, 12)))
def test_bands_of_levels_make_no_difference(quantised):
    found = components.find(quantised)
    assert listed(found) == level_by_level(quantised)
    runs = set(zip(map(tuple, found.boxes.tolist()), found.score.tolist(), found.last.tolist(), strict=True))
    begins = zip(
        map(tuple, found.boxes.tolist()), found.score.tolist(), (found.first - 1).tolist(), strict=True
    )
    assert not runs & set(begins)  # no run is cut in two


def test_memory_of_a_noisy_map_is_bounded(monkeypatch):
    monkeypatch.setattr(components, "_CELLS", 2**17)
    noise = np.random.default_rng(0).integers(0, 1001, (160, 160)).astype(np.uint16)
    tracemalloc.start()
    try:
        components.find(noise)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # All levels of its 2,900 peaks would be 46 MB.
    assert peak < 16 * 2**17 + 500 * noise.size


def test_rows_are_in_original_pixels():
    geometry = Geometry(rows=100, columns=80, y0=10, x0=20, y1=50, x1=60, mirrored=True, factor=2.0)
    found = components.find(np.array([[0, 2, 1]], np.uint16))
    table = components.rows(found, levels=4, image_id="a", geometry=geometry)
    table = DETECTIONS.check(table).sort_values("threshold")
    assert table.to_numpy().tolist() == [
        ["a", 0.0, 10, 54, 12, 58, 0.5],
        ["a", 0.25, 10, 56, 12, 58, 0.5],
    ]


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("factor", [1.0, 1.4, 4.0, 9.7])
def test_no_box_leaves_the_crop(mirrored, factor):
    geometry = Geometry(rows=100, columns=80, y0=10, x0=20, y1=51, x1=61, mirrored=mirrored, factor=factor)
    whole = components.find(np.ones(geometry.shape, np.uint16))
    table = components.rows(whole, levels=1, image_id="a", geometry=geometry)
    assert table[BOX].to_numpy().tolist() == [[10, 20, 51, 61]]
    corner = np.zeros(geometry.shape, np.uint16)
    corner[-1, -1] = 1
    (box,) = components.rows(components.find(corner), 1, "a", geometry)[BOX].to_numpy()
    assert (box[:2] < box[2:]).all()
    assert (box[2], box[1] if mirrored else box[3]) == (51, 20 if mirrored else 61)


def test_detections_of_a_file(tmp_path):
    generator = np.random.default_rng(3)
    geometry = Geometry(rows=60, columns=90, y0=5, x0=6, y1=45, x1=56, mirrored=False, factor=1.0)
    probabilities = generator.random((3, 4)).astype(np.float32)
    centres = np.arange(3) * 15.0 + 4, np.arange(4) * 13.0 + 4
    breast = np.ones((40, 50), bool)
    full = mpm.Grid(probabilities, *centres, breast, geometry)
    empty = mpm.Grid(np.zeros((3, 4), np.float32), *centres, breast, geometry)
    maps = {"full": full, "empty": empty}
    table = DETECTIONS.check(components.detections(maps, levels=20, threads=2))
    values = full.map().astype(float)
    expected = {
        ("full", level / 20, *geometry.to_original(np.array([region.bbox]))[0].tolist())
        for level in range(20)
        for region in regionprops(label(values > level / 20, connectivity=2))
    }
    assert {row[:6] for row in table.itertuples(index=False, name=None)} == expected
    assert len(table) == len(expected)


def test_detections_of_maps_with_nothing(tmp_path):
    geometry = Geometry(rows=8, columns=8, y0=0, x0=0, y1=8, x1=8, mirrored=False, factor=1.0)
    no_window = mpm.Grid(np.zeros((0, 0)), np.zeros(0), np.zeros(0), np.zeros((8, 8), bool), geometry)
    table = components.detections({"a": no_window}, levels=1000, threads=1)
    DETECTIONS.write(table, tmp_path / "shard-0.parquet")
    assert DETECTIONS.read(tmp_path / "shard-0.parquet").empty
