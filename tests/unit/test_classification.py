import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mammoflow import backbones, classification, normalization, patches
from mammoflow.bank import Batch

MODEL = backbones.build("compact", 32)
PATCHES = np.random.default_rng(0).integers(0, 4096, (40, 32, 32)).astype(np.uint16)
LOW, HIGH = np.zeros(40, np.uint16), np.full(40, 4095, np.uint16)


@pytest.fixture(scope="module", params=normalization.KINDS)
def kind(request):
    return request.param


def expected(kind):
    x = normalization.normalize(PATCHES, LOW, HIGH, kind)[..., None]
    return MODEL(x, training=False).numpy()[:, backbones.MASS]


def test_probability_is_that_of_mass(kind):
    found = classification.probabilities(MODEL, [Batch(PATCHES, LOW, HIGH)], kind)
    assert (found.shape, found.dtype) == ((40,), np.float32)
    np.testing.assert_allclose(found, expected(kind), atol=1e-5)


@settings(max_examples=3, deadline=None)
@given(st.lists(st.integers(0, 40), max_size=4), st.integers(1, 64))
def test_how_patches_are_batched_does_not_matter(cuts, size):
    edges = [0, *sorted(cuts), 40]
    rows = [slice(*pair) for pair in itertools.pairwise(edges)]
    batches = [Batch(PATCHES[row], LOW[row], HIGH[row]) for row in rows]
    found = classification.probabilities(MODEL, batches, "gcn", size)
    np.testing.assert_allclose(found, expected("gcn"), atol=1e-5)


def test_no_patches_no_probabilities():
    assert classification.probabilities(MODEL, [], "gcn").shape == (0,)


def test_sweep_cuts_all_breast_windows_in_order():
    breast = np.zeros((50, 40), bool)
    breast[10:, :30] = True
    pixels = np.random.default_rng(1).integers(0, 4096, breast.shape).astype(np.uint16)
    image = SimpleNamespace(pixels=pixels, breast=breast, lesions=np.zeros(breast.shape, np.uint8))
    windows = patches.Windows(16, 5, "centred")
    swept = list(classification.sweep(image, windows, size=7))
    begin = patches.positions(breast, windows)
    np.testing.assert_array_equal(
        np.concatenate([batch.patches for batch in swept]), patches.cut(pixels, begin, 16)
    )
    assert {(batch.minimum[0], batch.maximum[0]) for batch in swept} == {
        (pixels[breast].min(), pixels[breast].max())
    }
    assert max(len(batch.patches) for batch in swept) == 7
