from dataclasses import dataclass

import keras
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from mammoflow.base.boxes import BOX
from mammoflow.breasts.geometry import Geometry
from mammoflow.detection import own_scale

WINDOW, SHAPE = 16, (90, 120)


@dataclass(frozen=True)
class Stored:
    pixels: np.ndarray
    breast: np.ndarray
    geometry: Geometry


def stored(pixels, factor=1.0):
    rows, columns = (round(length * factor) for length in pixels.shape)
    geometry = Geometry(rows, columns, 0, 0, rows, columns, mirrored=False, factor=factor)
    return Stored(pixels.astype(np.uint16), np.ones(pixels.shape, bool), geometry)


def mean_answers(share=1):
    """A network whose answer is a share of the mean grey value of a patch, scaled by the breast's range."""
    patch = keras.Input((WINDOW, WINDOW, 1))
    mass = keras.layers.Rescaling(share / 255)(keras.layers.GlobalAveragePooling2D()(patch))
    return keras.Model(patch, keras.layers.Concatenate()([keras.layers.Rescaling(-1, 1)(mass), mass]))


MEAN_ANSWERS = mean_answers()


def boxes(*rows):
    return pd.DataFrame([("a", *row) for row in rows], columns=["image_id", *BOX])


def a_square(y0, x0, y1, x1):
    """Half of the full range in the square, and nothing elsewhere but one pixel of the full range."""
    pixels = np.zeros(SHAPE)
    pixels[y0:y1, x0:x1] = 2000
    pixels[-1, -1] = 4000
    return pixels


@pytest.mark.parametrize("box", [(20, 20, 30, 30), (10, 30, 58, 78)])
@pytest.mark.parametrize("factor", [1.0, 2.5])
def test_a_window_shows_a_candidate_at_the_same_size_however_large_it_is(box, factor):
    table = boxes(np.multiply(box, factor))
    store = {"a": stored(a_square(*box), factor)}
    found = own_scale.described(table, store, [MEAN_ANSWERS], "scale", [1, 2])
    assert list(found.columns) == [*table.columns, "network_at_1", "network_at_2"]
    # The square fills the window of its own size, and a quarter of one that is twice as large.
    assert expit(found["network_at_1"]).item() == pytest.approx(0.5, abs=0.01)
    assert expit(found["network_at_2"]).item() == pytest.approx(0.5 / 4, abs=0.03)


def test_each_row_has_the_answer_to_its_own_box():
    generator = np.random.default_rng(0)
    table = boxes((0, 0, 40, 40), (50, 60, 66, 76), (20, 80, 60, 120))
    table = pd.concat([table, table[::-1].assign(image_id="b")], ignore_index=True).assign(row=range(6))
    store = {
        name: stored(generator.uniform(0, 4000, (6, 8)).repeat(15, 0).repeat(15, 1)) for name in ("a", "b")
    }
    together = own_scale.described(table, store, [MEAN_ANSWERS], "scale", [1.5]).set_index("row")
    assert sorted(together.index) == list(range(6))
    for row in range(6):
        alone = own_scale.described(table[row : row + 1], store, [MEAN_ANSWERS], "scale", [1.5])
        assert together.loc[row, "network_at_1.5"] == pytest.approx(alone["network_at_1.5"].item(), abs=1e-4)


def test_several_networks_are_averaged():
    networks = [MEAN_ANSWERS, mean_answers(share=0.5)]
    store = {"a": stored(a_square(20, 20, 30, 30))}
    found = own_scale.described(boxes((20, 20, 30, 30)), store, networks, "scale", [1])
    assert expit(found["network_at_1"]).item() == pytest.approx((0.5 + 0.25) / 2, abs=0.01)


def test_local_contrast_is_that_around_each_pixel_at_the_size_of_the_candidate():
    """Enlarging an image and its candidate changes nothing but what is interpolated."""
    y, x = np.mgrid[:64, :64]
    smooth = 2000 + 1500 * np.sin(y / 9) * np.cos(x / 7)
    twice = np.kron(smooth, np.ones((2, 2)))
    one, two = (
        own_scale._resized(
            own_scale._reductions(pixels.astype(np.uint16)), np.array(box), WINDOW, "local", 1.0
        )
        for pixels, box in ((smooth, (24, 24, 40, 40)), (twice, (48, 48, 80, 80)))
    )
    np.testing.assert_allclose(one.astype(int), two.astype(int), atol=60)


@given(
    st.tuples(st.integers(0, 88), st.integers(0, 118)),
    st.tuples(st.integers(1, 300), st.integers(1, 300)),
    st.floats(1, 4),
    st.sampled_from(["gcn", "local"]),
)
def test_every_box_has_a_window(corner, sides, size, normalization):
    box = np.array([*corner, *np.minimum(np.add(corner, sides), SHAPE)], float)
    found = own_scale._resized(
        own_scale._reductions(np.full(SHAPE, 9, np.uint16)), box, WINDOW, normalization, size
    )
    assert found.shape == (WINDOW, WINDOW)
    assert len(np.unique(found)) == 1
