import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mammoflow.training import augmentation
from mammoflow.training.augmentation import Augmentation, Views

PAPER = Augmentation(flip=True, rotation_degrees=30, scale=(0.75, 1.25))
PATCHES = np.random.default_rng(0).integers(0, 4096, (3, 16, 16)).astype(np.uint16)


def views(flip=False, degrees=0.0, scale=1.0, n=3) -> Views:
    return Views(np.full(n, flip), np.full(n, np.radians(degrees)), np.full(n, scale))


def test_identity_changes_nothing():
    shown = augmentation.apply(PATCHES, views())
    assert shown.dtype == np.float32
    np.testing.assert_array_equal(shown, PATCHES)


def test_flip_mirrors_left_to_right():
    np.testing.assert_array_equal(augmentation.apply(PATCHES, views(flip=True)), PATCHES[:, :, ::-1])


def test_rotation_by_a_right_angle_is_counter_clockwise():
    shown = augmentation.apply(PATCHES, views(degrees=90))
    np.testing.assert_allclose(shown, np.rot90(PATCHES, axes=(1, 2)), atol=0.05)


def test_flip_comes_before_rotation_whatever_the_order_of_reading():
    shown = augmentation.apply(PATCHES, views(flip=True, degrees=90))
    once = np.rot90(PATCHES, axes=(1, 2))[:, :, ::-1]
    np.testing.assert_allclose(
        shown, np.rot90(PATCHES[:, :, ::-1], axes=(1, 2)), atol=0.05, err_msg=str(np.allclose(shown, once))
    )


def test_magnification_enlarges_about_the_middle():
    y, x = np.mgrid[:33, :33] - 16
    disc = (np.hypot(y, x) < 6).astype(np.uint16)[None] * 1000
    areas = {
        scale: augmentation.apply(disc, views(scale=scale, n=1)).sum() / disc.sum() for scale in (0.75, 1.25)
    }
    assert areas[1.25] == pytest.approx(1.25**2, rel=0.05)
    assert areas[0.75] == pytest.approx(0.75**2, rel=0.05)


def test_what_lies_beyond_the_edge_is_mirrored():
    shown = augmentation.apply(np.full((3, 16, 16), 7, np.uint16), views(degrees=30, scale=0.75))
    np.testing.assert_allclose(shown, 7, rtol=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31 - 1), st.integers(0, 200), st.integers(1, 500))
def test_draws_lie_in_their_ranges_and_repeat(seed, epoch, n):
    drawn = augmentation.draw(PAPER, n, seed, epoch)
    assert (np.abs(drawn.angle) <= np.radians(30)).all()
    assert ((drawn.scale >= 0.75) & (drawn.scale <= 1.25)).all()
    again = augmentation.draw(PAPER, n, seed, epoch)
    np.testing.assert_array_equal(drawn.angle, again.angle)
    assert n < 5 or not np.array_equal(drawn.angle, augmentation.draw(PAPER, n, seed, epoch + 1).angle)


def test_draws_are_spread_evenly():
    drawn = augmentation.draw(PAPER, 20_000, seed=1, epoch=0)
    assert drawn.flip.mean() == pytest.approx(0.5, abs=0.02)
    assert np.degrees(drawn.angle).std() == pytest.approx(60 / np.sqrt(12), rel=0.03)
    assert drawn.scale.mean() == pytest.approx(1, abs=0.01)


def test_batches_cut_from_an_epoch_do_not_depend_on_the_batch():
    drawn = augmentation.draw(PAPER, 3, seed=1, epoch=0)
    together = augmentation.apply(PATCHES, drawn)
    apart = [augmentation.apply(PATCHES[n : n + 1], drawn[n : n + 1])[0] for n in range(3)]
    # To the last bits: the compiled operations round differently in batches of other sizes.
    np.testing.assert_allclose(together, apart, rtol=1e-5)


def test_switched_off_it_draws_the_identity():
    drawn = augmentation.draw(Augmentation(flip=False, rotation_degrees=0, scale=(1, 1)), 3, 0, 0)
    np.testing.assert_array_equal(augmentation.apply(PATCHES, drawn), PATCHES)


@pytest.mark.parametrize("scale", [(1.25, 0.75), (0, 1)])
def test_impossible_scales_are_refused(scale):
    with pytest.raises(ValueError, match=r"augmentation\.scale: expected two positive numbers in order, got"):
        Augmentation(flip=True, rotation_degrees=30, scale=scale)
