from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mammoflow.networks import normalization
from mammoflow.patches import local_contrast, sliding_windows
from mammoflow.patches.sliding_windows import Windows

images = hnp.arrays(
    np.uint16, st.tuples(st.integers(1, 20), st.integers(1, 20)), elements=st.integers(0, 65535)
)


@dataclass(frozen=True)
class Image:
    pixels: np.ndarray
    breast: np.ndarray


def values(stored):
    return normalization.local(stored).numpy()


@settings(max_examples=60, deadline=None)
@given(images, st.integers(2, 9))
def test_the_central_pixel_of_each_window_has_the_value_of_global_contrast_normalisation(pixels, window):
    """Window by window, mirrored at the edges of the image as windows are."""
    windows = Windows(window, 1, "centred")
    everywhere = sliding_windows.begins(np.ones(pixels.shape, bool), pixels.shape, windows)
    cuts = normalization.gcn(sliding_windows.cut(pixels, everywhere, window)).numpy()
    expected = cuts[:, windows.half, windows.half].reshape(pixels.shape)
    found = values(local_contrast.normalized(pixels, window))
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_patches_that_overlap_agree():
    pixels = np.random.default_rng(0).integers(0, 4096, (60, 60)).astype(np.uint16)
    whole = local_contrast.normalized(pixels, 16)
    one, other = sliding_windows.cut(whole, np.array([[5, 5], [10, 12]]), 16)
    np.testing.assert_array_equal(one[5:, 7:], other[:-5, :-7])


def test_gain_and_offset_do_not_matter():
    pixels = np.random.default_rng(1).integers(0, 1000, (50, 40)).astype(np.uint16)
    found, changed = (local_contrast.normalized(each, 12) for each in (pixels, pixels * 7 + 20000))
    assert np.abs(found.astype(int) - changed).max() <= 1


def test_a_constant_image_is_zero():
    flat = local_contrast.normalized(np.full((30, 30), 65535, np.uint16), 9)
    assert (flat == local_contrast.ZERO).all()
    assert not values(flat).any()


def test_rounding_is_far_below_a_grey_level():
    """Of an image with a deviation of 100 grey levels, neighbouring levels stay apart."""
    pixels = (2000 + 100 * np.random.default_rng(2).normal(size=(80, 80))).astype(np.uint16)
    found = local_contrast.normalized(pixels, 33)
    pixels[40, 40] += 1
    assert int(local_contrast.normalized(pixels, 33)[40, 40]) - int(found[40, 40]) >= 8


def test_outliers_are_clipped():
    pixels = np.zeros((200, 200), np.uint16)
    pixels[100, 100] = 65535
    assert local_contrast.normalized(pixels, 101)[100, 100] == 65535


@pytest.mark.parametrize("kind", normalization.KINDS)
def test_only_local_contrast_changes_images(kind):
    pixels = np.random.default_rng(3).integers(0, 4096, (30, 40)).astype(np.uint16)
    store = {"b": Image(pixels, pixels > 9), "a": Image(pixels[:20], pixels[:20] > 9)}
    found = local_contrast.of(store, kind, 12)
    assert list(found) == ["b", "a"]
    assert len(found) == 2
    for name, image in store.items():
        expected = local_contrast.normalized(image.pixels, 12) if kind == "local" else image.pixels
        np.testing.assert_array_equal(found[name].pixels, expected)
        np.testing.assert_array_equal(found[name].breast, image.breast)
