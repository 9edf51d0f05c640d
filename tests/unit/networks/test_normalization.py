import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mammoflow.networks import normalization

stored = hnp.arrays(np.uint16, (3, 9, 9), elements=st.integers(0, 65535))


@given(stored)
def test_gcn_gives_mean_0_and_deviation_1_or_zeros(patches):
    normalized = normalization.gcn(patches).numpy()
    assert normalized.dtype == np.float32
    for before, after in zip(patches, normalized.astype(np.float64), strict=True):
        if before.min() == before.max():
            assert not after.any()
        else:
            assert abs(after.mean()) < 1e-6 * np.abs(after).max()
            assert abs(after.std() - 1) < 1e-4


@given(
    hnp.arrays(np.uint16, (2, 8, 8), elements=st.integers(0, 4095)), st.integers(1, 8), st.integers(0, 20000)
)
def test_gcn_does_not_see_gain_and_offset(patches, gain, offset):
    changed = normalization.gcn(patches.astype(np.int64) * gain + offset)
    np.testing.assert_allclose(changed, normalization.gcn(patches), atol=2e-3)


def test_gcn_of_a_large_patch_keeps_its_accuracy():
    patches = np.random.default_rng(0).integers(60000, 60010, (1, 224, 224)).astype(np.uint16)
    normalized = normalization.gcn(patches).numpy().astype(np.float64)
    assert abs(normalized.mean()) < 1e-5
    assert normalized.std() == pytest.approx(1, abs=1e-5)


def test_gcn_leaves_its_input():
    patches = np.ones((1, 4, 4), np.float32)
    normalization.gcn(patches)
    assert (patches == 1).all()


def test_scale_maps_the_range_of_the_breast_and_clips_the_rest():
    patches = np.array([[[0, 100], [200, 300]]], np.uint16)
    scaled = normalization.scale(patches, np.array([100], np.uint16), np.array([200], np.uint16)).numpy()
    assert scaled.tolist() == [[[0, 0], [255, 255]]]
    assert scaled.dtype == np.float32


def test_scale_of_a_constant_breast_is_zero():
    patches = np.full((1, 2, 2), 7, np.uint16)
    assert not normalization.scale(patches, np.array([7]), np.array([7])).numpy().any()


def test_local_undoes_how_contrasts_are_stored():
    stored = np.array([[[32768, 32768 + 1024], [32768 - 2048, 0]]], np.uint16)
    assert normalization.local(stored).numpy().tolist() == [[[0, 1], [-2, -32]]]


def test_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="expected one of gcn, scale, local, got 'zca'"):
        normalization.normalize(np.ones((1, 2, 2)), np.zeros(1), np.ones(1), "zca")
