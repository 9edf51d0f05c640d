from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mammoflow.breasts.geometry import Geometry
from mammoflow.detection import magnified
from mammoflow.detection.mpm import Grid
from mammoflow.patches import sliding_windows
from mammoflow.patches.sliding_windows import Windows

ROWS, COLUMNS = 60, 48


@dataclass(frozen=True)
class Stored:
    pixels: np.ndarray
    breast: np.ndarray
    geometry: Geometry


def a_slope():
    """Grey values that grow evenly from the first row to the last; the breast is everywhere."""
    pixels = np.broadcast_to(np.linspace(1000, 60000, ROWS)[:, None], (ROWS, COLUMNS))
    geometry = Geometry(ROWS, COLUMNS, 0, 0, ROWS, COLUMNS, mirrored=False, factor=1.0)
    return Stored(np.rint(pixels).astype(np.uint16), np.ones((ROWS, COLUMNS), bool), geometry)


def centre_answers(store, stride=4):
    """Maps in which each window answers with the grey value of its centre."""
    windows = Windows(8, stride, "centred")
    for image_id in store:
        image = store[image_id]
        y, x = (begin + windows.half for begin in sliding_windows.grid(image.breast.shape, windows))
        answers = np.where(
            sliding_windows.supporting(image.breast, windows), image.pixels[np.ix_(y, x)] / 2**16, 0
        )
        yield image_id, Grid(answers.astype(np.float32), y, x, image.breast, image.geometry)


@pytest.mark.parametrize("magnifications", [[1, 0.5], [2, 1], [0.7, 1, 1.4]])
def test_all_magnifications_of_a_slope_agree(magnifications):
    """So the places of the windows are those of the same tissue."""
    store = {"a": a_slope()}
    ((_, alone),) = centre_answers(store)
    ((image_id, mean),) = magnified.grids(centre_answers, store, magnifications)
    assert image_id == "a"
    inner = np.s_[2:-2]  # at the edges the nearest window counts alone
    np.testing.assert_allclose(mean.probabilities[inner], alone.probabilities[inner], atol=0.005)
    np.testing.assert_array_equal(mean.centres_y, alone.centres_y)
    assert mean.breast.shape == (ROWS, COLUMNS)


def test_one_magnification_changes_nothing():
    store = {"a": a_slope(), "b": a_slope()}
    found = list(magnified.grids(centre_answers, store, [1]))
    assert [image_id for image_id, _ in found] == ["a", "b"]
    for (_, expected), (_, grid) in zip(centre_answers(store), found, strict=True):
        np.testing.assert_array_equal(grid.probabilities, expected.probabilities)


def grid_of(values, shape=(8, 8)):
    values = np.array(values, np.float32)
    centres = [np.linspace(1, length - 2, n) for length, n in zip(shape, values.shape, strict=True)]
    geometry = Geometry(8, 8, 0, 0, 8, 8, mirrored=False, factor=1.0)
    return Grid(values, *centres, np.ones(shape, bool), geometry)


def test_the_mean_is_of_all_magnifications_with_windows_there():
    first = grid_of([[0.2, 0.4], [0.6, 0.8]])
    everywhere, nowhere = grid_of([[0.8]], (4, 4)), grid_of(np.empty((0, 0)), (2, 2))
    joined = magnified.joined(first, [everywhere, nowhere])
    np.testing.assert_allclose(joined.probabilities, [[0.5, 0.6], [0.7, 0.8]], rtol=1e-6)


def test_windows_without_an_answer_do_not_lower_the_mean():
    first, half = grid_of([[0.6, 0.6], [0.6, 0.6]]), grid_of([[0.4, 0], [0.4, 0]])
    np.testing.assert_allclose(
        magnified.joined(first, [half]).probabilities, [[0.5, 0.6], [0.5, 0.6]], rtol=1e-6
    )


def test_what_is_not_classified_stays_zero():
    first, other = grid_of([[0.6, 0], [0, 0.6]]), grid_of([[0.4, 0.4], [0.4, 0.4]])
    np.testing.assert_allclose(magnified.joined(first, [other]).probabilities, [[0.5, 0], [0, 0.5]])


@given(st.integers(1, 300), st.integers(1, 300), st.floats(0.1, 10))
def test_an_image_is_magnified_with_its_breast(rows, columns, magnification):
    if rows * columns * magnification**2 > 2**20:
        return
    image = replace(
        a_slope(), pixels=np.full((rows, columns), 7, np.uint16), breast=np.ones((rows, columns), bool)
    )
    found = magnified.Store({"a": image}, magnification)["a"]
    expected = tuple(max(1, round(length * magnification)) for length in (rows, columns))
    assert found.pixels.shape == found.breast.shape == expected
    assert found.pixels.dtype == np.uint16
    assert (found.pixels == 7).all()
    assert found.breast.all()
