import keras
import numpy as np
import pytest

from mammoflow.networks import backbones
from mammoflow.training import compiling

WINDOW = 32


def trained(steps, few, monkeypatch):
    """A network after one step of a training of some steps."""
    monkeypatch.setattr(compiling, "_FEW", few)
    keras.utils.set_random_seed(1)
    model = backbones.build("compact", WINDOW, "float32")
    compiling.compile_network(model, keras.optimizers.Adam(1e-3), ["accuracy"], steps)
    generator = np.random.default_rng(2)
    shown = generator.normal(size=(8, WINDOW, WINDOW, 1)).astype(np.float32)
    model.fit(shown, np.arange(8) % 2, batch_size=8, shuffle=False, verbose=0)
    return model


@pytest.mark.parametrize(
    ("steps", "validation_steps", "eagerly"),
    [(1, 0, True), (4, 30, True), (4, 31, False), (5, 0, False), (1000, 1000, False)],
)
def test_only_few_steps_run_without_a_graph(steps, validation_steps, eagerly):
    model = backbones.build("compact", WINDOW, "float32")
    compiling.compile_network(model, keras.optimizers.Adam(1e-3), [], steps, validation_steps)
    assert model.run_eagerly == eagerly


def test_both_ways_learn_the_same(monkeypatch):
    with_graph, without = (trained(1, few, monkeypatch) for few in (0, 4))
    assert (with_graph.run_eagerly, without.run_eagerly) == (False, True)
    keras.utils.set_random_seed(1)
    before = backbones.build("compact", WINDOW, "float32").get_weights()
    learnt, learnt_eagerly = with_graph.get_weights(), without.get_weights()
    assert not any(np.array_equal(one, old) for one, old in zip(learnt, before, strict=True) if one.ndim > 1)
    for one, other in zip(learnt, learnt_eagerly, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)
