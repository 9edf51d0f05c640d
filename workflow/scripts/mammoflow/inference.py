"""Trained networks compiled for use: batch normalisation folded, weights constant, fast precision."""

import os
from collections import defaultdict
from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from mammoflow import backbones, runtime

# By how much a probability may differ from that in float32, at most and on average, for `auto` to take
# a faster precision.
TOLERANCE = 0.02, 0.002

# Windows on which that is tried.
TRIAL = 64


class Compiled:
    """A network as one graph without variables, for a fixed number of patches at a time.

    Calls from several threads are safe, and two at a time are faster than one after the other: the gaps
    of one, where few threads have work, are filled by the other.

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
        # TensorFlow's own passes join convolution, bias and activation; `runtime.configure` turns them
        # off for training, where they gain nothing.
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})
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
    # Few enough that what layers hand on stays in the processor's cache.
    return 8 * max(2, tf.config.threading.get_intra_op_parallelism_threads() or os.cpu_count())


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
    absorbed = {normalization.name for normalization in normalized.values()}

    def copy(layer: layers.Layer) -> layers.Layer:
        settings = layer.get_config()
        if layer.name not in model.output_names:
            settings["dtype"] = policy
        if layer.name in normalized:
            settings["use_bias"] = True
        return type(layer).from_config(settings)

    def call(layer: layers.Layer, *arguments: object, **settings: object) -> keras.KerasTensor:
        return arguments[0] if layer.name in absorbed else layer(*arguments, **settings)

    folded = keras.models.clone_model(model, clone_function=copy, call_function=call, recursive=True)
    copies = {layer.name: layer for layer in _leaves(folded)}
    for layer in _leaves(model):
        if layer.name in normalized:
            copies[layer.name].set_weights(_joined(layer, normalized[layer.name]))
        elif layer.weights and layer.name not in absorbed:
            copies[layer.name].set_weights(layer.get_weights())
    return folded


def _leaves(model: keras.Model) -> Iterator[layers.Layer]:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _leaves(layer)
        else:
            yield layer


def _normalized(model: keras.Model) -> Iterator[tuple[str, layers.BatchNormalization]]:
    """Names of the convolutions whose result goes into a batch normalisation and nowhere else."""
    takers = defaultdict(list)
    for layer in _leaves(model):
        for tensor in keras.tree.flatten(layer.input):
            takers[id(tensor)].append(layer)
    for layer in _leaves(model):
        if type(layer) is layers.Conv2D and layer.activation is keras.activations.linear:
            match takers[id(layer.output)]:
                case [layers.BatchNormalization() as normalization]:
                    yield layer.name, normalization


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
