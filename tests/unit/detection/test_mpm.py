import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import RegularGridInterpolator

from mammoflow.base import storage
from mammoflow.breasts.geometry import Geometry
from mammoflow.detection import mpm

GEOMETRY = Geometry(rows=20, columns=30, y0=1, x0=2, y1=17, x1=22, mirrored=True, factor=2.0)


def a_grid() -> mpm.Grid:
    breast = np.zeros((8, 10), bool)
    breast[1:7, :6] = True
    return mpm.Grid(
        probabilities=np.array([[0.25, 0.5], [0.75, 1.0]], np.float32),
        centres_y=np.array([2.0, 5.0]),
        centres_x=np.array([1.0, 5.0]),
        breast=breast,
        geometry=GEOMETRY,
    )


def everywhere(rows, columns):
    return np.ones((rows, columns), bool)


def test_centres_keep_their_value_and_the_middle_is_the_mean():
    values = mpm.probability_map(
        np.array([[0.0, 1.0], [0.5, 0.5]]), np.array([1, 3]), np.array([0, 2]), everywhere(5, 3)
    )
    assert values.dtype == np.float32
    expected = [[0, 0.5, 1], [0, 0.5, 1], [0.25, 0.5, 0.75], [0.5, 0.5, 0.5], [0.5, 0.5, 0.5]]
    np.testing.assert_array_equal(values, np.float32(expected))


def test_held_outside_the_outermost_centres():
    values = mpm.probability_map(np.array([[0.2, 0.8]]), np.array([3]), np.array([2, 4]), everywhere(6, 7))
    np.testing.assert_array_equal(values[:, :3], np.float32(0.2))
    np.testing.assert_array_equal(values[:, 4:], np.float32(0.8))


def test_zero_outside_the_breast():
    grid = a_grid()
    values = grid.map()
    assert not values[~grid.breast].any()
    assert values[grid.breast].all()


def test_equal_windows_make_an_exactly_constant_map():
    value = np.float32(0.3)
    values = mpm.probability_map(
        np.full((5, 7), value), np.arange(5) * 7.0, np.arange(7) * 11.0, everywhere(40, 80)
    )
    assert (values == value).all()


def test_no_window_is_an_empty_map():
    values = mpm.probability_map(np.zeros((0, 0)), np.zeros(0), np.zeros(0), everywhere(4, 5))
    assert values.shape == (4, 5)
    assert not values.any()


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 5), st.integers(2, 5))
def test_agrees_with_scipy(seed, gy, gx):
    generator = np.random.default_rng(seed)
    centres_y = np.sort(generator.choice(30, gy, replace=False))
    centres_x = np.sort(generator.choice(40, gx, replace=False))
    probabilities = generator.random((gy, gx))
    held = np.meshgrid(
        np.clip(np.arange(30), centres_y[0], centres_y[-1]),
        np.clip(np.arange(40), centres_x[0], centres_x[-1]),
        indexing="ij",
    )
    expected = RegularGridInterpolator((centres_y, centres_x), probabilities)(np.stack(held, axis=-1))
    values = mpm.probability_map(probabilities, centres_y, centres_x, everywhere(30, 40))
    np.testing.assert_allclose(values, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("probabilities", "centres_y", "message"),
    [
        (np.zeros((2, 2)), [0, 1, 2], "expected one per centre"),
        (np.zeros((2, 2)), [3, 1], "centres_y: expected ascending"),
        (np.full((2, 2), 1.5), [1, 3], r"expected values in \[0, 1\], got 1.5 to 1.5"),
        (np.full((2, 2), np.nan), [1, 3], "got nan"),
    ],
)
def test_refuses(probabilities, centres_y, message):
    with pytest.raises(ValueError, match=message):
        mpm.probability_map(probabilities, np.array(centres_y), np.array([0, 5]), everywhere(6, 6))


def test_file_gives_back_what_was_written(tmp_path):
    grid = a_grid()
    with storage.create_hdf5(tmp_path / "fold-0.h5") as file:
        mpm.write_grid(file, "b", grid)
        mpm.write_grid(file, "a", grid)
    with storage.open_hdf5(tmp_path / "fold-0.h5") as file:
        assert mpm.image_ids(file) == ["a", "b"]
        back = mpm.read_grid(file, "b")
        with pytest.raises(KeyError, match="grid of image 'c'"):
            mpm.read_grid(file, "c")
    assert back.geometry == grid.geometry
    for name in ("probabilities", "centres_y", "centres_x", "breast"):
        np.testing.assert_array_equal(getattr(back, name), getattr(grid, name))
        assert getattr(back, name).dtype == getattr(grid, name).dtype


def test_file_without_images(tmp_path):
    with storage.create_hdf5(tmp_path / "fold-0.h5"):
        pass
    with storage.open_hdf5(tmp_path / "fold-0.h5") as file:
        assert mpm.image_ids(file) == []
