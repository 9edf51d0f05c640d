"""Builds networks by name; loads and saves backbone weights in the ``notop`` layout of Keras."""

from pathlib import Path

import h5py
import keras
import numpy as np
from keras import layers

from mammoflow.base import storage
from mammoflow.networks import architectures, notop

CLASSES = 2
MASS = 1


def build(
    name: str, window: int, policy: str = "float32", classes: int = CLASSES, weights: str | None = None
) -> keras.Model:
    """Build a network that computes class probabilities from grey patches.

    Parameters
    ----------
    name : str
        One of `architectures.names`.
    window : int
        Side of the patches in pixels.
    policy : {'float32', 'mixed_bfloat16', 'mixed_float16'}
        Precision of the computation; weights and probabilities are always float32.
    classes : int, optional
        Two (no mass and mass), except for the pretext task.
    weights : {None, 'imagenet'}, optional
        Random weights, or the backbone weights that Keras downloads and verifies.

    Returns
    -------
    keras.Model
        *Input shape* ``(n, window, window, 1)``, normalised float32. *Output shape* ``(n, classes)``.

    Raises
    ------
    ValueError
        When the name is unknown or the window is too small for the network.

    References
    ----------
    Section 2.3: input replicated to three channels.
    """
    network = architectures.network(name)
    if window < network.smallest:
        raise ValueError(f"patches.window: expected at least {network.smallest} for {name}, got {window}")
    default = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        image = keras.Input((window, window, 1), name="patch")
        colour = layers.Concatenate(name="grey_to_colour")([image, image, image])
        features = network.head(network.body(window, weights)(colour))
        softmax = layers.Dense(classes, "softmax", dtype="float32", name="probabilities")
        return keras.Model(image, softmax(features), name=f"{name}_classifier")
    finally:
        keras.config.set_dtype_policy(default)


def body(model: keras.Model) -> keras.Model:
    """The backbone of a network made by `build`."""
    return next(layer for layer in model.layers if isinstance(layer, keras.Model))


def set_batch_normalization_momentum(model: keras.Model, momentum: float | None) -> None:
    """Set the momentum of every batch normalisation layer; None keeps the defaults of the network.

    With Keras' default of 0.99, the statistics used at inference need hundreds of steps to converge.
    """
    if momentum is not None:
        for layer in body(model).layers:
            if isinstance(layer, layers.BatchNormalization):
                layer.momentum = momentum


def load_notop(model: keras.Model, path: str | Path) -> None:
    """Load the backbone's weights from a file in Keras' ``notop`` layout.

    Parameters
    ----------
    model : keras.Model
        A network made by `build`; the weights of its head are kept.
    path : str or Path
        Such as ``vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5``, or a file of `save_notop`.
        Layers are matched by their order, as in Keras, because layer names in Keras' files contain
        arbitrary counters.

    Raises
    ------
    ValueError
        When the file does not fit the backbone.
    """
    backbone = body(model)
    weighted = [layer for layer in backbone.layers if layer.weights]
    saved = notop.read(path)
    if len(saved) != len(weighted):
        raise ValueError(
            f"{path}: expected {len(weighted)} layers with weights for {backbone.name}, got {len(saved)}"
        )
    for layer, values in zip(weighted, saved, strict=True):
        expected, got = [tuple(weight.shape) for weight in _ordered(layer)], [value.shape for value in values]
        if expected != got:
            raise ValueError(
                f"{path}: layer {layer.name} of {backbone.name}: expected arrays of {expected}, got {got}"
            )
    for layer, values in zip(weighted, saved, strict=True):
        for weight, value in zip(_ordered(layer), values, strict=True):
            weight.assign(value)


def _ordered(layer: layers.Layer) -> list[keras.Variable]:
    """Weights in the order of Keras' HDF5 files."""
    return layer.trainable_weights + layer.non_trainable_weights


def save_notop(model: keras.Model, path: str | Path) -> None:
    """Write the backbone's weights in Keras' ``notop`` layout.

    `keras.applications` loads the file with ``weights=path, include_top=False``.

    Parameters
    ----------
    model : keras.Model
        A network made by `build`.
    path : str or Path
        The file to write.
    """
    backbone = body(model)
    with storage.hdf5(path) as file:
        file.attrs["layer_names"] = [layer.name.encode() for layer in backbone.layers]
        file.attrs["backend"] = keras.backend.backend().encode()
        file.attrs["keras_version"] = keras.__version__.encode()
        for layer in backbone.layers:
            _save_layer(file.create_group(layer.name), layer)


def _save_layer(group: h5py.Group, layer: layers.Layer) -> None:
    names = [f"{layer.name}/{weight.name}:0" for weight in _ordered(layer)]
    group.attrs["weight_names"] = np.array([name.encode() for name in names], dtype="S")
    for name, weight in zip(names, _ordered(layer), strict=True):
        group.create_dataset(name, data=keras.ops.convert_to_numpy(weight), fletcher32=weight.shape != ())
