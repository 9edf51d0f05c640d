"""Trained networks compiled for use: batch normalisation folded, weights constant, fast precision."""

import os
from collections import defaultdict
from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from mammoflow.networks import backbones, runtime

# By how much a probability may differ from that in float32, at most and on average, for `auto` to take
# a faster precision.
TOLERANCE = 0.02, 0.002

# Windows on which that is tried.
TRIAL = 64


class Compiled:
    """A network as one graph without variables, for a fixed number of patches at a time.

    Calls from several threads are safe, and `calls` of them at a time the fastest. TensorFlow's own passes
    join convolution, bias and activation, where `runtime.configure` has left them on.

    Parameters
    ----------
    model : keras.Model
        A network that `backbones.build` made.
    policy : {'float32', 'mixed_bfloat16', 'mixed_float16'}
        What it computes in.
    size : int
        Patches that it takes at once.
    """

    def __init__(self, model: keras.Model, policy: str, size: int) -> None:
        self.policy, self.size = policy, size
        folded = fold(model, policy)
        weights = [
            [keras.ops.convert_to_numpy(variable) for variable in variables]
            for variables in (folded.trainable_variables, folded.non_trainable_variables)
        ]

        @tf.function(input_signature=[tf.TensorSpec((size, *model.input_shape[1:]))], autograph=False)
        def forward(patches: tf.Tensor) -> tf.Tensor:
            # As constants, so that kernels are laid out for the processor once and not in every call.
            constants = [[tf.constant(array) for array in arrays] for arrays in weights]
            found, _ = folded.stateless_call(*constants, patches, training=False)
            return found[:, backbones.MASS]

        self._graph = forward.get_concrete_function()

    def __call__(self, patches: np.ndarray) -> np.ndarray:
        """Probability of a mass, (n,) float32, of normalised patches, (n, w, w, 1) float32, n ≤ `size`."""
        missing = self.size - len(patches)
        if missing:
            patches = np.pad(patches, [(0, missing), (0, 0), (0, 0), (0, 0)])
        return self._graph(tf.constant(patches)).numpy()[: self.size - missing]


def batch() -> int:
    """Patches that a network takes at once on this machine."""
    if runtime.on_gpu():
        return 256
    return 8  # few enough that what layers hand on stays in the processor's cache


def calls() -> int:
    """Calls of a network that are made at a time on this machine.

    On a processor as many as there are threads: each has one to itself, and none waits within a layer for
    the others.
    """
    if runtime.on_gpu():
        return 2
    return tf.config.threading.get_inter_op_parallelism_threads() or os.cpu_count()


def compiled(model: keras.Model, precision: str, size: int, sample: np.ndarray) -> Compiled:
    """Network in the precision that the config asks for.

    Parameters
    ----------
    model : keras.Model
        A network that `backbones.build` made, in float32.
    precision : {'auto', 'float32', 'mixed_bfloat16', 'mixed_float16'}
        ``auto`` takes what `runtime.policy` finds in the machine, if on the sample no probability
        differs from float32 by more than `TOLERANCE`, and float32 otherwise.
    size : int
        Patches that it takes at once.
    sample : (n, w, w, 1) float32 array
        Normalised patches; only ``auto`` uses them.

    Raises
    ------
    ValueError
        When `precision` is unknown.
    """
    policy = runtime.policy(precision)
    if precision != "auto" or policy == "float32":
        return Compiled(model, policy, size)
    exact, fast = (Compiled(model, kind, size) for kind in ("float32", policy))
    parts = [sample[start : start + size] for start in range(0, len(sample), size)]
    difference = np.abs(np.concatenate([exact(part) - fast(part) for part in parts]))
    most, mean = float(difference.max()), float(difference.mean())
    chosen = fast if most <= TOLERANCE[0] and mean <= TOLERANCE[1] else exact
    print(
        f"{policy} differs from float32 by {most:.4f} at most and {mean:.4f} on average "
        f"on {len(sample)} patches: computing in {chosen.policy}"
    )
    return chosen


def fold(model: keras.Model, policy: str) -> keras.Model:
    """Copy of a network in which convolutions do the work of the batch normalisations behind them.

    Parameters
    ----------
    model : keras.Model
        A network of layers in sequence and parallel; models inside it are folded too.
    policy : str
        What the copy computes in; what it gives back stays float32.

    Returns
    -------
    keras.Model
        Not for training: the statistics are part of kernels and biases.
    """
    normalized = dict(_normalized(model))
    absorbed = set(normalized.values())
    copies: dict[layers.Layer, layers.Layer] = {}

    def copy(operation: keras.Operation) -> keras.Operation:
        if not isinstance(operation, layers.Layer):  # such as the sum of ``x + y``: nothing to change
            return operation
        settings = operation.get_config()
        if operation.name not in model.output_names:
            settings["dtype"] = policy
        if operation in absorbed:
            return _Nothing(name=operation.name, dtype=policy)
        if operation in normalized:
            settings["use_bias"] = True
        copies[operation] = type(operation).from_config(settings)
        return copies[operation]

    folded = keras.models.clone_model(model, clone_function=copy, recursive=True)
    for layer, its in copies.items():
        if layer in normalized:
            its.set_weights(_joined(layer, normalized[layer]))
        else:
            its.set_weights(layer.get_weights())
        if isinstance(its, layers.Normalization):
            its.finalize_state()  # it computes with what it derives from its weights
    return folded


class _Nothing(layers.Layer):
    """In the place of a batch normalisation that a convolution does, called as it was."""

    def call(self, values: tf.Tensor, mask: None = None) -> tf.Tensor:
        return values


def _normalized(model: keras.Model) -> Iterator[tuple[layers.Conv2D, layers.BatchNormalization]]:
    """Convolutions whose result goes into a batch normalisation and nowhere else.

    Keras tells only by attributes that are not public how often a layer is used, and by what.
    """
    takers = defaultdict(list)
    for inner in _models(model):
        for tensor in inner.outputs:
            takers[id(tensor)].append(inner)
    for operation in _leaves(model):
        for node in operation._inbound_nodes:
            for tensor in node.input_tensors:
                takers[id(tensor)].append(operation)
    for layer in _leaves(model):
        if _used_once(layer, layers.Conv2D) and layer.activation is keras.activations.linear:
            match takers[id(layer.output)]:
                case [normalization] if (
                    _used_once(normalization, layers.BatchNormalization)
                    and layer.data_format == "channels_last"
                    and normalization.axis in (-1, 3)
                ):
                    yield layer, normalization


def _used_once(operation: keras.Operation, kind: type[layers.Layer]) -> bool:
    """Whether this is a layer of a kind, and called in one place."""
    return type(operation) is kind and len(operation._inbound_nodes) == 1


def _models(model: keras.Model) -> Iterator[keras.Model]:
    """A network and the models inside it."""
    yield model
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _models(layer)


def _leaves(model: keras.Model) -> Iterator[keras.Operation]:
    """What a network computes, step by step, models inside it opened."""
    for inner in _models(model):
        steps = inner.layers if isinstance(inner, keras.Sequential) else inner.operations
        yield from (step for step in steps if not isinstance(step, keras.Model))


def _joined(convolution: layers.Conv2D, normalization: layers.BatchNormalization) -> list[np.ndarray]:
    """Kernel and bias that do both."""

    def values(variable: keras.Variable) -> np.ndarray:
        return keras.ops.convert_to_numpy(variable).astype(np.float64)

    factor = 1 / np.sqrt(values(normalization.moving_variance) + normalization.epsilon)
    if normalization.scale:
        factor *= values(normalization.gamma)
    bias = values(convolution.bias) if convolution.use_bias else 0
    bias = (bias - values(normalization.moving_mean)) * factor
    if normalization.center:
        bias += values(normalization.beta)
    return [values(convolution.kernel) * factor, bias]
