"""Compiles trained networks for inference: batch normalisation folded, weights constant, fast precision."""

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from mammoflow.networks import backbones, runtime

# Largest maximum and mean difference of probabilities from float32 at which `auto` selects a faster
# precision.
TOLERANCE = 0.02, 0.002

# Number of windows on which this is tested.
TRIAL = 64


class Compiled:
    """A network as one graph without variables, for a fixed number of patches per call.

    It can be called from several threads; `calls` of them at a time are fastest. TensorFlow's optimiser
    fuses convolution, bias and activation, unless `runtime.configure` has switched it off.

    Parameters
    ----------
    model : keras.Model
        A network made by `backbones.build` or `dense.convolutional`.
    policy : {'float32', 'mixed_bfloat16', 'mixed_float16'}
        Precision of the computation.
    size : int
        Number of patches per call.
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
            probabilities, _ = folded.stateless_call(*constants, patches, training=False)
            return probabilities[..., backbones.MASS]

        self._graph = forward.get_concrete_function()

    def __call__(self, patches: np.ndarray) -> np.ndarray:
        """Probability of a mass, (n,) float32, of normalised patches, (n, w, w, 1) float32, n ≤ `size`.

        Networks made by `dense.convolutional` return the probabilities of all windows of each patch,
        (n, rows, columns).
        """
        missing = self.size - len(patches)
        if missing:
            patches = np.pad(patches, [(0, missing), (0, 0), (0, 0), (0, 0)])
        return self._graph(tf.constant(patches)).numpy()[: self.size - missing]


def batch() -> int:
    """Number of patches per call of a network on this machine."""
    if runtime.on_gpu():
        return 256
    return 8  # small enough that the output of a layer stays in the processor's cache


def calls() -> int:
    """Number of simultaneous calls of a network on this machine.

    On a processor this is the number of threads: each call runs on one thread, so that threads do not wait
    for each other within a layer.
    """
    if runtime.on_gpu():
        return 2
    return tf.config.threading.get_inter_op_parallelism_threads() or os.cpu_count()


def compiled(model: keras.Model, precision: str, size: int, sample: np.ndarray) -> Compiled:
    """Compile a network in the precision requested by the config.

    Parameters
    ----------
    model : keras.Model
        A network made by `backbones.build` or `dense.convolutional`, in float32.
    precision : {'auto', 'float32', 'mixed_bfloat16', 'mixed_float16'}
        ``auto`` selects the precision of `runtime.policy` for this machine if the probabilities of the
        sample differ from float32 by no more than `TOLERANCE`, and float32 otherwise.
    size : int
        Number of patches per call.
    sample : (n, w, w, 1) float32 array
        Normalised patches; used by ``auto`` only.

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
        f"on {difference.size} windows: computing in {chosen.policy}"
    )
    return chosen


def mean(networks: Sequence[Compiled], patches: np.ndarray, mirrored: bool) -> np.ndarray:
    """Mean probability of a mass over networks, and over each patch and its mirror image if wanted.

    Parameters
    ----------
    networks : sequence of Compiled
        At least one.
    patches : (n, w, w, 1) float32 array
        Normalised patches.
    mirrored : bool
        Whether patches are also shown upside down: the chest wall stays on their left.

    Returns
    -------
    (n,) or (n, rows, columns) float32 array
        As the networks return it.
    """
    answers = [network(patches) for network in networks]
    if mirrored:
        turned = [network(patches[:, ::-1]) for network in networks]
        answers += [answer[:, ::-1] if answer.ndim > 1 else answer for answer in turned]
    return np.mean(answers, axis=0)


def fold(model: keras.Model, policy: str) -> keras.Model:
    """Copy a network, folding each batch normalisation into the convolution before it.

    Parameters
    ----------
    model : keras.Model
        A functional network; models inside it are folded as well.
    policy : str
        Precision of the copy; its output stays float32.

    Returns
    -------
    keras.Model
        Only for inference: the statistics are part of kernels and biases.
    """
    normalized = dict(_normalized(model))
    absorbed = set(normalized.values())
    copies: dict[layers.Layer, layers.Layer] = {}

    def copy(operation: keras.Operation) -> keras.Operation:
        if not isinstance(operation, layers.Layer):  # for example the sum ``x + y``: nothing to change
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
    for layer, target in copies.items():
        if layer in normalized:
            target.set_weights(_joined(layer, normalized[layer]))
        else:
            target.set_weights(layer.get_weights())
        if isinstance(target, layers.Normalization):
            target.finalize_state()  # it computes with values derived from its weights
    return folded


class _Nothing(layers.Layer):
    """Replaces a batch normalisation that was folded into a convolution; returns its input."""

    def call(self, values: tf.Tensor, mask: None = None) -> tf.Tensor:
        return values


def _normalized(model: keras.Model) -> Iterator[tuple[layers.Conv2D, layers.BatchNormalization]]:
    """Convolutions whose output is used only by a batch normalisation, with this layer.

    Keras exposes the uses of a layer only through private attributes.
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
    """Whether an operation is a layer of the given kind that is called exactly once."""
    return type(operation) is kind and len(operation._inbound_nodes) == 1


def _models(model: keras.Model) -> Iterator[keras.Model]:
    """A network and all models nested in it."""
    yield model
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _models(layer)


def _leaves(model: keras.Model) -> Iterator[keras.Operation]:
    """All operations of a network in order, including those of nested models."""
    for inner in _models(model):
        steps = inner.layers if isinstance(inner, keras.Sequential) else inner.operations
        yield from (step for step in steps if not isinstance(step, keras.Model))


def _joined(convolution: layers.Conv2D, normalization: layers.BatchNormalization) -> list[np.ndarray]:
    """Kernel and bias that combine a convolution and a batch normalisation."""

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
