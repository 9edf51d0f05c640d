"""Prepares a network for its training steps."""

from collections.abc import Sequence

import keras
import tensorflow as tf

# A graph of ResNet50's step takes 15 s to build, and a step without a graph 1.5 s longer: ten steps are as
# fast either way (with the compact network too). A batch of validation takes 0.2 s longer.
_FEW, _FEW_OF_VALIDATION = 4, 30


def compile_network(
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    metrics: Sequence[str | keras.metrics.Metric],
    steps: int,
    validation_steps: int = 0,
) -> None:
    """Compile a network that learns to classify patches.

    Parameters
    ----------
    model : keras.Model
        A network made by `backbones.build`; its loss is the cross-entropy.
    optimizer : keras.optimizers.Optimizer
        Its variables are created too.
    metrics : sequence of str or keras.metrics.Metric
        What is recorded besides the loss.
    steps, validation_steps : int
        Batches of the whole training. A training of very few runs without a graph, which begins at once.
    """
    few = steps <= _FEW and validation_steps <= _FEW_OF_VALIDATION
    several_gpus = tf.distribute.get_strategy().num_replicas_in_sync > 1  # they need a graph
    model.compile(
        optimizer,
        keras.losses.SparseCategoricalCrossentropy(),
        metrics=list(metrics),
        run_eagerly=few and not several_gpus,
        jit_compile=False,
    )
    # Create the optimiser's variables now; otherwise the first step is traced twice.
    model.optimizer.build(model.trainable_variables)
