"""Kernels give the same results as TensorFlow, and a patch does not depend on the others."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mammoflow.networks import normalization
from mammoflow.training import augmentation, kernels
from mammoflow.training.augmentation import Augmentation

PAPER = Augmentation(flip=True, rotation_degrees=30, scale=(0.75, 1.25))
WILD = Augmentation(flip=True, rotation_degrees=180, scale=(0.1, 3))

grey = st.integers(0, 65535)
patches = st.integers(2, 24).flatmap(lambda w: hnp.arrays(np.uint16, (3, w, w), elements=grey))


def drawn(stored, augment, seed):
    views = augmentation.draw(augment, len(stored), seed, epoch=0)
    return augmentation.transforms(views, stored.shape[1])


@given(patches, st.sampled_from([PAPER, WILD]), st.integers(0, 1000))
def test_shows_what_tensorflow_shows(stored, augment, seed):
    transforms = drawn(stored, augment, seed)
    shown = kernels.show(stored, transforms)
    assert shown.dtype == np.float32
    np.testing.assert_array_equal(shown, augmentation.show(stored.astype(np.float32), transforms))


@pytest.mark.parametrize("kind", normalization.KINDS)
@settings(max_examples=40)
@given(patches, st.integers(0, 1000), st.tuples(grey, grey, grey))
def test_normalises_as_tensorflow_does(kind, stored, seed, low):
    transforms = drawn(stored, PAPER, seed)
    minimum = np.array(low, np.uint16)
    maximum = np.maximum(minimum, stored.max(axis=(1, 2)))
    prepared = kernels.prepare(stored, transforms, minimum, maximum, kind)
    expected = normalization.normalize(kernels.show(stored, transforms), minimum, maximum, kind)
    np.testing.assert_allclose(prepared, expected, rtol=1e-4, atol=1e-4)


@given(patches)
def test_gcn_gives_mean_0_and_deviation_1_or_zeros(stored):
    none = np.zeros(3, np.uint16)
    as_they_are = augmentation.transforms(augmentation.plain(3), stored.shape[1])
    for before, after in zip(stored, kernels.prepare(stored, as_they_are, none, none, "gcn"), strict=True):
        if before.min() == before.max():
            assert not after.any()
        else:
            assert abs(after.mean(dtype=float)) < 1e-6 * np.abs(after).max()
            assert after.std(dtype=float) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("kind", normalization.KINDS)
def test_a_patch_does_not_know_of_the_others(kind):
    stored = np.random.default_rng(0).integers(0, 4096, (5, 224, 224)).astype(np.uint16)
    inputs = (stored, drawn(stored, PAPER, 1), np.full(5, 100, np.uint16), np.full(5, 4000, np.uint16))
    together = kernels.prepare(*inputs, kind)
    apart = [kernels.prepare(*(each[n : n + 1] for each in inputs), kind)[0] for n in range(5)]
    np.testing.assert_array_equal(together, apart)


def test_unknown_normalisation_is_refused():
    one = np.zeros(1, np.uint16)
    stored = np.zeros((1, 4, 4), np.uint16)
    with pytest.raises(ValueError, match="expected one of gcn, scale, local, got 'zca'"):
        kernels.prepare(stored, drawn(stored, PAPER, 0), one, one, "zca")
