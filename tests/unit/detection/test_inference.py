from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
from keras import layers

from mammoflow.detection import inference
from mammoflow.networks import backbones, runtime

PATCHES = np.random.default_rng(0).normal(size=(24, 32, 32, 1)).astype(np.float32)


def shuffle(model):
    """Statistics, scales and biases as training leaves them: all different, none neutral."""
    generator = np.random.default_rng(1)
    for layer in inference._leaves(model):
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([generator.uniform(0.5, 2, weight.shape) for weight in layer.get_weights()])
        elif isinstance(layer, layers.Conv2D) and layer.use_bias:
            layer.bias.assign(generator.normal(size=layer.bias.shape))
    return model


def compact():
    keras.utils.set_random_seed(2)
    return shuffle(backbones.build("compact", 32))


MODEL = compact()
EXACT = MODEL.predict(PATCHES, verbose=0)[:, backbones.MASS]


def awkward():
    """A normalisation in every place: foldable, behind an activation, a fork, a sum, in a nested model."""
    image = keras.Input((12, 12, 1))
    x = layers.BatchNormalization(name="first")(image)
    x = layers.Conv2D(4, 3, name="a")(x)
    x = layers.BatchNormalization(scale=False, name="folded")(x)
    activated = layers.Conv2D(4, 3, activation="relu", padding="same", name="b")(x)
    y = layers.BatchNormalization(name="behind_activation")(activated)
    fork = layers.Conv2D(4, 1, name="c")(x)
    z = layers.BatchNormalization(name="fork")(fork)
    x = layers.BatchNormalization(name="sum")(layers.Add()([y, z, fork]))
    inner = keras.Input((10, 10, 4))
    v = layers.Conv2D(3, 3, use_bias=False, name="d")(inner)
    v = layers.ReLU(name="last")(layers.BatchNormalization(center=False, name="nested")(v))
    x = keras.Model(inner, v, name="inside")(x)
    x = layers.Dense(2, name="probabilities")(layers.GlobalAveragePooling2D(name="pool")(x))
    return shuffle(keras.Model(image, x))


def test_folded_where_it_changes_nothing_and_nowhere_else():
    keras.utils.set_random_seed(3)
    model = awkward()
    folded = inference.fold(model, "float32")
    left = {layer.name for layer in inference._leaves(folded) if isinstance(layer, layers.BatchNormalization)}
    assert left == {"first", "behind_activation", "fork", "sum"}
    image = 5 * np.random.default_rng(4).normal(size=(5, 12, 12, 1)).astype(np.float32)
    expected = model(image, training=False).numpy()
    assert np.ptp(expected[:, 0]) > 0.01
    np.testing.assert_allclose(folded(image, training=False).numpy(), expected, rtol=1e-4)


def _one_model_in_two_places(image):
    inner = keras.Input((12, 12, 1))
    z = layers.BatchNormalization()(layers.Conv2D(1, 3, padding="same")(inner))
    inside = keras.Model(inner, z)
    return layers.Concatenate()([inside(image), inside(inside(image))])


def _convolution_used_twice(image):
    convolution = layers.Conv2D(1, 3, padding="same")
    x = layers.BatchNormalization()(convolution(image))
    return layers.Concatenate()([x, convolution(x)])


def _normalization_used_twice(image):
    normalization = layers.BatchNormalization()
    return layers.Concatenate()([normalization(layers.Conv2D(4, 3)(image)) for _ in range(2)])


def _result_also_added_without_a_layer(image):
    x = layers.Conv2D(4, 3)(image)
    return keras.ops.relu(x + layers.BatchNormalization()(x))


def _result_also_given_back(image):
    inner = keras.Input((12, 12, 1))
    x = layers.Conv2D(2, 3)(inner)
    return layers.Concatenate()(keras.Model(inner, [x, layers.BatchNormalization()(x)])(image))


def _names_that_a_nested_model_has_too(image):
    inner = keras.Input((12, 12, 1))
    x = layers.BatchNormalization(name="n")(layers.Conv2D(4, 3, name="c")(inner))
    x = layers.ReLU()(keras.Model(inner, x)(image))
    x = layers.ReLU()(layers.Conv2D(4, 1, name="c")(x))
    return layers.BatchNormalization(name="n")(x)


def _sequential_with_dropout(image):
    steps = [layers.Conv2D(4, 3, use_bias=False), layers.BatchNormalization(), layers.Dropout(0.5)]
    return keras.Sequential([keras.Input((12, 12, 1)), *steps])(image)


def _convolutions_of_other_kinds(image):
    x = layers.BatchNormalization()(layers.DepthwiseConv2D(3, depth_multiplier=3)(image))
    return layers.BatchNormalization()(layers.Conv2D(6, 3, groups=3)(x))


def _values_that_were_adapted(image):
    adapted = layers.Normalization()
    x = layers.Conv2D(4, 3)(adapted(image))
    adapted.adapt(5 + 3 * PATCHES)
    return x


@pytest.mark.parametrize(
    ("features", "left"),
    [
        (_one_model_in_two_places, 0),
        (_convolution_used_twice, 1),
        (_normalization_used_twice, 1),
        (_result_also_added_without_a_layer, 1),
        (_result_also_given_back, 1),
        (_names_that_a_nested_model_has_too, 1),
        (_sequential_with_dropout, 0),
        (_convolutions_of_other_kinds, 1),
        (_values_that_were_adapted, 0),
    ],
)
def test_networks_of_any_wiring_answer_as_before(features, left):
    keras.utils.set_random_seed(3)
    image = keras.Input((12, 12, 1))
    pooled = layers.GlobalAveragePooling2D()(features(image))
    model = shuffle(keras.Model(image, layers.Dense(2, name="probabilities")(pooled)))
    values = np.random.default_rng(4).normal(size=(5, 12, 12, 1)).astype(np.float32)
    expected = model(values, training=False).numpy()[:, backbones.MASS]
    assert np.ptp(expected) > 0.01
    folded = inference.fold(model, "float32")
    kept = [layer for layer in inference._leaves(folded) if isinstance(layer, layers.BatchNormalization)]
    assert len(kept) == left
    for policy, tolerance in (("float32", 1e-6), ("mixed_bfloat16", 0.02), ("mixed_float16", 0.01)):
        found = inference.Compiled(model, policy, 5)(values)
        np.testing.assert_allclose(found, expected, atol=tolerance)


def test_the_network_itself_is_not_changed():
    before = [weight.copy() for weight in MODEL.get_weights()]
    inference.fold(MODEL, "mixed_bfloat16")
    for was, weight in zip(before, MODEL.get_weights(), strict=True):
        np.testing.assert_array_equal(was, weight)


def test_compiled_is_keras_in_float32():
    assert np.ptp(EXACT) > 0.05
    np.testing.assert_allclose(inference.Compiled(MODEL, "float32", 24)(PATCHES), EXACT, atol=1e-5)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_fewer_patches_and_several_threads(policy):
    network = inference.Compiled(MODEL, policy, 8)
    whole = np.concatenate([network(PATCHES[start : start + 8]) for start in (0, 8, 16)])
    assert whole.dtype == np.float32
    np.testing.assert_allclose(whole, EXACT, atol=0.05)
    np.testing.assert_array_equal(network(PATCHES[:3]), whole[:3])
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(lambda start: network(PATCHES[start : start + 8]), [0, 8, 16] * 4))
    np.testing.assert_array_equal(np.concatenate(parts), np.tile(whole, 4))


@pytest.fixture
def machine_with_bfloat16(monkeypatch):
    monkeypatch.setattr(runtime, "_processor_policy", lambda: "mixed_bfloat16")
    monkeypatch.setattr(runtime, "on_gpu", lambda: False)


@pytest.mark.usefixtures("machine_with_bfloat16")
def test_auto_is_fast_where_that_changes_little(capsys):
    network = inference.compiled(MODEL, "auto", 16, PATCHES)
    assert network.policy == "mixed_bfloat16"
    difference = np.abs(network(PATCHES[:16]) - EXACT[:16])
    assert 0 < difference.max() <= 0.02
    assert "computing in mixed_bfloat16" in capsys.readouterr().out


@pytest.mark.usefixtures("machine_with_bfloat16")
def test_auto_is_exact_where_rounding_would_change_probabilities():
    sharp = compact()
    logits = np.log(EXACT / (1 - EXACT))
    head = sharp.get_layer("probabilities")
    kernel, bias = head.get_weights()
    head.set_weights([15 * kernel, 15 * (bias - [0, np.median(logits)])])
    network = inference.compiled(sharp, "auto", 16, PATCHES)
    assert network.policy == "float32"
    asked = inference.compiled(sharp, "mixed_bfloat16", 16, PATCHES)
    assert asked.policy == "mixed_bfloat16"


def test_unknown_precision():
    with pytest.raises(ValueError, match="got 'half'"):
        inference.compiled(MODEL, "half", 16, PATCHES)
