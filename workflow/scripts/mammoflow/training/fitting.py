"""Trains a network on a patch bank."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from mammoflow.base import storage
from mammoflow.base.contracts.history import HISTORY
from mammoflow.networks import backbones
from mammoflow.networks.trained import Fitted, best_run, load
from mammoflow.patches.bank import Bank
from mammoflow.training.augmentation import Augmentation
from mammoflow.training.callbacks import Events, Keep, Progress
from mammoflow.training.compiling import compile_network
from mammoflow.training.feed import Feed
from mammoflow.training.resume import Checkpoint

# Training keeps the patches of a part in memory up to this number of bytes; a larger part is read as needed.
MEMORY = 2**30


@dataclass(frozen=True)
class Settings:
    """Settings of a training, as in the config section ``training``.

    Parameters
    ----------
    batch : int
        Patches per step.
    epochs : int
        Maximum number of epochs.
    patience : int
        Number of epochs without a lower validation loss after which training stops.
    learning_rate : mapping of str to float
        Learning rates for the initialisations ``random`` and ``pretrained``.
    schedule : {'constant', 'cosine'}
        ``cosine``: the learning rate falls to zero over all epochs, by half a cosine.
    lesion_balance : float
        How equally often masses are shown; see `feed.weights`.
    layers : {'all', 'head'}
        ``head``: only the head is trained (shallow tuning), the weights of the backbone are kept.
    steps_per_epoch : int or None
        Batches per epoch; None: as many as needed to show every patch once.
    parts : int
        Number of equal parts into which a batch is divided if it does not fit into memory. Gradients are
        averaged over the parts before the step; only batch normalisation differs, since it is computed
        for each part.
    gpus : int
        Number of GPUs that share a batch.
    precision : str
        See `runtime.policy`.
    batch_normalization_momentum : float or None
        See `backbones.set_batch_normalization_momentum`.
    augmentation : Augmentation
        Random views of training patches.

    References
    ----------
    Section 2.4.
    """

    batch: int
    epochs: int
    patience: int
    learning_rate: Mapping[str, float]
    schedule: str
    lesion_balance: float
    layers: str
    steps_per_epoch: int | None
    parts: int
    gpus: int
    precision: str
    batch_normalization_momentum: float | None
    augmentation: Augmentation

    @classmethod
    def from_config(cls, section: Mapping) -> "Settings":
        """Create settings from the config section, whose keys have the same names."""
        views = section["augmentation"]
        augmentation = Augmentation(views["flip"], views["rotation_degrees"], tuple(views["scale"]))
        return cls(**{**section, "augmentation": augmentation})


@keras.saving.register_keras_serializable("mammoflow")
class Az(keras.metrics.AUC):
    """Metric: area under the ROC curve of the class mass."""

    def update_state(self, y_true, y_pred, sample_weight=None):  # noqa: ANN001, ANN201, D102
        return super().update_state(y_true, y_pred[:, backbones.MASS], sample_weight)


def start(
    backbone: str,
    window: int,
    policy: str,
    initial: Sequence[str],
    metadata: Sequence[str],
    seed: int,
) -> tuple[keras.Model, dict[str, str]]:
    """Build a network with its initial weights.

    Parameters
    ----------
    backbone, window, policy
        See `backbones.build`.
    initial : sequence of str
        Empty: random weights. One file in Keras' ``notop`` layout: weights of the backbone. Or the
        ``model.weights.h5`` of every run on the previous data set of the chain: the weights of the best
        run, including the head.
    metadata : sequence of str
        The ``model.json`` of these runs, or the record of the base weights, with their digest.
    seed : int
        Seed of the random weights.

    Returns
    -------
    model : keras.Model
    origin : dict
        Path and digest of the weights, for the record; empty for random weights.

    Raises
    ------
    ValueError
        When the weights belong to another network or window, or do not match their record.
    """
    keras.utils.set_random_seed(seed)
    model = backbones.build(backbone, window, policy)
    if not initial:
        return model, {}
    recorded = json.loads(Path(metadata[0]).read_text()).get("sha256")  # of base weights only
    if recorded:
        digest = storage.sha256(initial[0])
        if digest != recorded:
            raise ValueError(f"{initial[0]}: expected sha256 {recorded} as in {metadata[0]}, got {digest}")
        backbones.load_notop(model, initial[0])
        return model, {"path": initial[0], "sha256": digest}
    best = best_run(metadata)
    trained, record = load(initial[best], metadata[best], policy)
    if (record["backbone"], record["window"]) != (backbone, window):
        raise ValueError(
            f"{initial[best]}: expected weights of {backbone} for windows of {window} pixels, "
            f"got {record['backbone']} for {record['window']}"
        )
    model.set_weights(trained.get_weights())
    return model, {"path": initial[best], "sha256": record["weights_sha256"]}


def fit(
    model: keras.Model,
    bank: Bank,
    settings: Settings,
    learning_rate: float,
    normalization: str,
    seed: int,
    title: str,
    checkpoint: Checkpoint | None = None,
    events: Path | None = None,
) -> Fitted:
    """Train a network until its validation loss stops decreasing.

    Parameters
    ----------
    model : keras.Model
        A network made by `backbones.build`, with its initial weights; it is modified.
    bank : Bank
        The fold's patches.
    settings : Settings
        Settings of the training.
    learning_rate : float
        Learning rate of Adam, at the beginning.
    normalization : {'gcn', 'scale', 'local'}
        Normalisation of the patches.
    seed : int
        Seed of shuffling, augmentation and random operations of the network.
    title : str
        Beginning of the lines that report progress.
    checkpoint : Checkpoint, optional
        Keeps the state after each epoch. If it already holds a state, training resumes from it and gives
        the same result as an uninterrupted training.
    events : Path, optional
        Folder for TensorBoard events.

    Returns
    -------
    Fitted

    Raises
    ------
    ValueError
        When a batch cannot be divided equally, or the validation loss is not a number.
    MemoryError
        When a batch does not fit into memory.

    References
    ----------
    Section 2.4: Adam, early stopping on validation loss, patience 10.
    """
    if settings.layers not in ("all", "head"):
        raise ValueError(f"training.layers: expected all or head, got {settings.layers!r}")
    keras.utils.set_random_seed(seed)
    backbones.set_batch_normalization_momentum(model, settings.batch_normalization_momentum)
    part = _part(settings)
    feed = Feed(bank.train, part, normalization, lesion_balance=settings.lesion_balance)
    validation = Feed(bank.validation, part, normalization)
    backbones.body(model).trainable = settings.layers == "all"
    trained = feed.into(model)
    # Keras counts each part of a batch as a step.
    steps = settings.parts * (settings.steps_per_epoch or -(-len(bank.train) // settings.batch))
    if settings.schedule == "cosine":
        learning_rate = keras.optimizers.schedules.CosineDecay(learning_rate, settings.epochs * steps)
    optimizer = keras.optimizers.Adam(
        learning_rate, gradient_accumulation_steps=settings.parts if settings.parts > 1 else None
    )
    metrics = [keras.metrics.SparseCategoricalAccuracy("accuracy"), Az(name="az")]
    compile_network(trained, optimizer, metrics, settings.epochs * steps, settings.epochs * validation.steps)
    progress = Progress(title, settings.epochs, steps)
    stopping = keras.callbacks.EarlyStopping(
        monitor="val_loss", patience=settings.patience, restore_best_weights=True
    )
    keep = [Keep(checkpoint, progress, stopping)] if checkpoint else []
    begun, stopped = (keep[0].epoch, keep[0].stopped) if keep else (0, False)
    try:
        trained.fit(
            feed.training(steps, settings.augmentation, seed, first=begun),
            steps_per_epoch=steps,
            initial_epoch=begun,
            epochs=begun if stopped else settings.epochs,
            validation_data=validation.validation(),
            validation_steps=validation.steps,
            callbacks=[progress, stopping, *keep, *([Events(events, progress)] if events else [])],
            shuffle=False,
            verbose=0,
        )
    except tf.errors.ResourceExhaustedError as error:
        raise MemoryError(
            f"{title}: training.batch: expected batches that fit into memory, got {settings.batch} patches "
            f"of {bank.window} pixels in {settings.parts} parts; lower training.batch, or raise "
            "training.parts, which divides a batch into smaller parts without changing the step"
        ) from error
    rate = steps * part / np.median(progress.training_seconds[1:] or progress.training_seconds)
    return _fitted(model, progress, stopping, rate)


def _part(settings: Settings) -> int:
    """Number of patches that the network processes at once."""
    shares = settings.parts * settings.gpus
    if settings.batch % shares:
        raise ValueError(
            f"training.batch: expected a multiple of parts times gpus ({settings.parts} × {settings.gpus}), "
            f"got {settings.batch}"
        )
    return settings.batch // settings.parts


def _fitted(
    model: keras.Model, progress: Progress, stopping: keras.callbacks.EarlyStopping, rate: float
) -> Fitted:
    if not np.isfinite(stopping.best):
        raise ValueError(
            f"{progress.title}: expected a validation loss, got {stopping.best} in the first epoch; lower "
            "the learning rate"
        )
    history = pd.DataFrame(progress.rows)[list(HISTORY.columns)]
    return Fitted(model, history, stopping.best_epoch + 1, float(stopping.best), float(rate))
