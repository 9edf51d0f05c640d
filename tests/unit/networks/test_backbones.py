import h5py
import keras
import numpy as np
import pytest

from mammoflow.networks import architectures, backbones

APPLICATIONS = {
    "vgg16": (keras.applications.VGG16, 32),
    "resnet50": (keras.applications.ResNet50, 32),
    "inceptionv3": (keras.applications.InceptionV3, 75),
}


def patches(window: int, n: int = 2) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(n, window, window, 1)).astype(np.float32)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_probabilities_are_two_float32_that_sum_to_one(policy):
    model = backbones.build("compact", 48, policy)
    assert {str(weight.dtype) for weight in model.weights} == {"float32"}
    found = model(patches(48), training=False).numpy()
    assert (found.shape, found.dtype) == ((2, 2), np.float32)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-6)
    assert keras.config.dtype_policy().name == "float32"


def test_compact_is_compact():
    assert 100_000 < backbones.build("compact", 80).count_params() < 300_000


def test_the_residual_network_is_between_compact_and_the_large_ones():
    assert 500_000 < backbones.build("residual", 96).count_params() < 2_000_000


def test_vgg_keeps_its_dense_layers_after_pooling():
    model = backbones.build("vgg16", 32)
    assert [model.get_layer(name).units for name in ("fc1", "fc2")] == [4096, 4096]
    assert (
        len([layer for layer in backbones.body(model).layers if isinstance(layer, keras.layers.Conv2D)]) == 13
    )


@pytest.mark.parametrize("name", APPLICATIONS)
def test_keras_loads_what_is_saved_and_gives_the_same(name, tmp_path):
    application, window = APPLICATIONS[name]
    model = backbones.build(name, window)
    for weight in backbones.body(model).weights:
        if weight.name.startswith("moving"):
            weight.assign(np.random.default_rng(0).uniform(0.5, 1.5, weight.shape))
    backbones.save_notop(model, tmp_path / "notop.h5")
    theirs = application(
        include_top=False, weights=str(tmp_path / "notop.h5"), input_shape=(window, window, 3)
    )
    colour = np.repeat(patches(window), 3, axis=3)
    expected = backbones.body(model)(colour, training=False).numpy()
    np.testing.assert_array_equal(theirs(colour, training=False).numpy(), expected)


def test_what_keras_saves_is_loaded_head_aside(tmp_path):
    theirs = keras.applications.VGG16(include_top=False, weights=None, input_shape=(32, 32, 3))
    theirs.save_weights(tmp_path / "theirs.weights.h5")
    with h5py.File(tmp_path / "theirs.h5", "w") as file:
        from keras.src.legacy.saving import legacy_h5_format

        legacy_h5_format.save_weights_to_hdf5_group(file, theirs)
    model = backbones.build("vgg16", 32)
    head = model.get_layer("fc1").get_weights()[0].copy()
    backbones.load_notop(model, tmp_path / "theirs.h5")
    for ours, expected in zip(backbones.body(model).get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, expected)
    np.testing.assert_array_equal(model.get_layer("fc1").get_weights()[0], head)


def test_notop_round_trip_of_compact_at_another_window(tmp_path):
    model = backbones.build("compact", 48)
    backbones.save_notop(model, tmp_path / "notop.h5")
    other = backbones.build("compact", 96)
    backbones.load_notop(other, tmp_path / "notop.h5")
    for ours, expected in zip(backbones.body(other).weights, backbones.body(model).weights, strict=True):
        np.testing.assert_array_equal(ours.numpy(), expected.numpy())


def test_weights_of_another_network_are_refused_and_nothing_changes(tmp_path):
    backbones.save_notop(backbones.build("compact", 48), tmp_path / "compact.h5")
    model = backbones.build("vgg16", 32)
    before = backbones.body(model).get_weights()
    with pytest.raises(ValueError, match=r"compact\.h5: expected 13 layers with weights for vgg16, got"):
        backbones.load_notop(model, tmp_path / "compact.h5")
    with h5py.File(tmp_path / "compact.h5", "a") as file:
        first = file[file.attrs["layer_names"][1]]
        name = first.attrs["weight_names"][0]
        del first[name]
        first[name] = np.zeros((1, 1, 3, 4), np.float32)
    with pytest.raises(
        ValueError, match=r"layer conv1 of compact: expected arrays of .* got \[\(1, 1, 3, 4\)"
    ):
        backbones.load_notop(backbones.build("compact", 48), tmp_path / "compact.h5")
    for ours, expected in zip(backbones.body(model).get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, expected)


def test_file_without_the_layout_is_refused(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(ValueError, match="with an attribute 'layer_names'; got an HDF5 file that holds x"):
        backbones.load_notop(backbones.build("compact", 48), tmp_path / "other.h5")


def test_momentum_is_set_everywhere_or_left():
    model = backbones.build("resnet50", 32)
    norms = [
        layer for layer in backbones.body(model).layers if isinstance(layer, keras.layers.BatchNormalization)
    ]
    backbones.set_batch_normalization_momentum(model, None)
    assert {layer.momentum for layer in norms} == {0.99}
    backbones.set_batch_normalization_momentum(model, 0.8)
    assert {layer.momentum for layer in norms} == {0.8}


def test_unknown_backbone_and_small_window_are_refused():
    known = "compact, inceptionv3, residual, resnet50, vgg16"
    with pytest.raises(ValueError, match=f"expected one of {known}, got 'unet'"):
        backbones.build("unet", 80)
    with pytest.raises(ValueError, match="expected at least 75 for inceptionv3, got 74"):
        backbones.build("inceptionv3", 74)


@pytest.mark.parametrize("name", architectures.names())
def test_every_network_says_what_its_files_hold(name, tmp_path):
    body = backbones.body(backbones.build(name, 96))
    counted = (sum(bool(layer.weights) for layer in body.layers), body.count_params())
    assert architectures.network(name).weights == counted
