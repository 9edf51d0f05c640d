"""Fit a network to a bank, and keep what it takes to use it again."""

import json
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import pandas as pd

from mammoflow import backbones, logs, runtime, storage
from mammoflow.augmentation import Augmentation
from mammoflow.bank import Bank
from mammoflow.feed import Feed

# Bytes of patches of each part that training keeps in memory; a larger part is read as needed.
MEMORY = 2**30

# Seconds between two lines of progress.
_PAUSE = 5


@dataclass(frozen=True)
class Settings:
    """How a network is trained: the config section ``training``.

    Parameters
    ----------
    batch : int
        Patches per step.
    epochs : int
        At most.
    patience : int
        Epochs without a lower validation loss before training stops.
    learning_rate : mapping of str to float
        For the initialisations ``random`` and ``pretrained``.
    layers : {'all', 'head'}
        ``head``: shallow tuning, the backbone keeps its weights.
    steps_per_epoch : int or None
        Batches per epoch; None: as many as it takes to show every patch.
    precision : str
        As `runtime.policy`.
    batch_normalization_momentum : float or None
        As `backbones.set_batch_normalization_momentum`.
    augmentation : Augmentation
        Views of training patches.

    References
    ----------
    Section 2.4.
    """

    batch: int
    epochs: int
    patience: int
    learning_rate: Mapping[str, float]
    layers: str
    steps_per_epoch: int | None
    precision: str
    batch_normalization_momentum: float | None
    augmentation: Augmentation

    @classmethod
    def from_config(cls, section: Mapping) -> "Settings":
        """Settings from the config section, whose keys have the same names."""
        views = section["augmentation"]
        augmentation = Augmentation(views["flip"], views["rotation_degrees"], tuple(views["scale"]))
        return cls(**{**section, "augmentation": augmentation})


@dataclass(frozen=True)
class Fitted:
    """What `fit` gives.

    Parameters
    ----------
    model : keras.Model
        With the weights of the best epoch.
    history : pandas.DataFrame
        A ``history`` table.
    best_epoch : int
        The epoch, from 1, with the lowest validation loss.
    validation_loss : float
        Of that epoch.
    patches_per_second : float
        Training patches over training time; the first epoch, which builds the graph, is left out
        where there are others.
    """

    model: keras.Model
    history: pd.DataFrame
    best_epoch: int
    validation_loss: float
    patches_per_second: float


@keras.saving.register_keras_serializable("mammoflow")
class Az(keras.metrics.AUC):
    """Area under the ROC curve of the class mass."""

    def update_state(self, y_true, y_pred, sample_weight=None):  # noqa: ANN001, ANN201, D102
        return super().update_state(y_true, y_pred[:, backbones.MASS], sample_weight)


class _Progress(keras.callbacks.Callback):
    """Rows of the history, and a line on the terminal every few seconds."""

    def __init__(self, title: str, epochs: int, patches: int) -> None:
        super().__init__()
        self.title, self.epochs, self.patches = title, epochs, patches
        self.rows: list[dict[str, float]] = []
        self.training_seconds: list[float] = []
        self._announced = time.monotonic()

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._begun = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self._last_step = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        now = time.monotonic()
        self.training_seconds.append(self._last_step - self._begun)
        row = {name.replace("val_", "validation_"): float(value) for name, value in logs.items()}
        row |= {"learning_rate": float(self.model.optimizer.learning_rate), "seconds": now - self._begun}
        self.rows.append({"epoch": epoch + 1, **row})
        if now - self._announced >= _PAUSE:
            self._announced = now
            self._announce(row, epoch + 1)

    def _announce(self, row: dict[str, float], epoch: int) -> None:
        logs.announce(
            f"{self.title}: epoch {epoch}/{self.epochs}, "
            f"validation loss {row['validation_loss']:.3f}, Az {row['validation_az']:.3f}"
        )

    def patches_per_second(self) -> float:
        seconds = self.training_seconds[1:] or self.training_seconds
        return self.patches * len(seconds) / sum(seconds)


def start(
    backbone: str,
    window: int,
    policy: str,
    initial: Sequence[str],
    metadata: Sequence[str],
    seed: int,
) -> tuple[keras.Model, dict[str, str]]:
    """Network with the weights that a chain of initialisations begins with.

    Parameters
    ----------
    backbone, window, policy
        As `backbones.build`.
    initial : sequence of str
        Nothing: random weights. One file in Keras' ``notop`` layout: the backbone's weights. Or the
        ``model.weights.h5`` of every run on the data set before, of which the best run's are taken,
        head included.
    metadata : sequence of str
        The ``model.json`` of these runs, or the record of the base weights, with their digest.
    seed : int
        Of what is random.

    Returns
    -------
    model : keras.Model
    origin : dict
        Path and digest of the weights taken, for the record; empty for random ones.

    Raises
    ------
    ValueError
        When the weights are of another network or window, or not those of their record.
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
) -> Fitted:
    """Train a network until its validation loss no longer falls.

    Parameters
    ----------
    model : keras.Model
        A network that `backbones.build` made, with the weights to start from. It is changed.
    bank : Bank
        The fold's patches.
    settings : Settings
        How to train.
    learning_rate : float
        Of Adam.
    normalization : {'gcn', 'scale'}
        Grey values as the network takes them.
    seed : int
        Of shuffling, augmentation and whatever the network draws.
    title : str
        What the lines of progress begin with.

    Returns
    -------
    Fitted

    References
    ----------
    Section 2.4: Adam, early stopping on validation loss, patience 10.
    """
    keras.utils.set_random_seed(seed)
    backbones.set_batch_normalization_momentum(model, settings.batch_normalization_momentum)
    _compile(model, learning_rate, settings.layers)
    feed = Feed(bank.train, settings.batch, normalization)
    validation = Feed(bank.validation, settings.batch, normalization)
    steps = settings.steps_per_epoch or feed.steps
    progress = _Progress(title, settings.epochs, steps * settings.batch)
    stopping = keras.callbacks.EarlyStopping(
        monitor="val_loss", patience=settings.patience, restore_best_weights=True
    )
    model.fit(
        feed.training(steps, settings.augmentation, seed),
        steps_per_epoch=steps,
        epochs=settings.epochs,
        validation_data=validation.validation(),
        validation_steps=validation.steps,
        callbacks=[progress, stopping],
        shuffle=False,
        verbose=0,
    )
    return _fitted(model, progress, title)


def _compile(model: keras.Model, learning_rate: float, trained: str) -> None:
    if trained not in ("all", "head"):
        raise ValueError(f"training.layers: expected all or head, got {trained!r}")
    backbones.body(model).trainable = trained == "all"
    model.compile(
        keras.optimizers.Adam(learning_rate),
        keras.losses.SparseCategoricalCrossentropy(),
        metrics=[keras.metrics.SparseCategoricalAccuracy("accuracy"), Az(name="az")],
        jit_compile=False,
    )
    # Before the first step, or the step is traced twice: once to make the optimiser's variables.
    model.optimizer.build(model.trainable_variables)


def _fitted(model: keras.Model, progress: _Progress, title: str) -> Fitted:
    history = pd.DataFrame(progress.rows)
    if history["validation_loss"].isna().all():
        raise ValueError(
            f"{title}: expected a validation loss, got NaN in every epoch; lower the learning rate"
        )
    best = history.loc[history["validation_loss"].idxmin()]
    return Fitted(
        model, history, int(best["epoch"]), float(best["validation_loss"]), progress.patches_per_second()
    )


def save(
    fitted: Fitted, weights: str | Path, metadata: str | Path, network: Mapping[str, object], **facts: object
) -> None:
    """Write the weights and, beside them, what it takes to rebuild and trust the network.

    Parameters
    ----------
    fitted : Fitted
        What `fit` gave.
    weights, metadata : str or Path
        ``model.weights.h5`` and ``model.json``.
    network : mapping
        ``backbone``, ``window``, ``normalization`` and ``precision``.
    **facts
        Whatever else the record should hold.
    """
    with storage.whole(weights) as temporary:
        fitted.model.save_weights(temporary)
    record = {
        **network,
        "parameters": fitted.model.count_params(),
        "best_epoch": fitted.best_epoch,
        "epochs": len(fitted.history),
        "validation_loss": fitted.validation_loss,
        "patches_per_second": fitted.patches_per_second,
        "weights_sha256": storage.sha256(weights),
        **facts,
    }
    with storage.whole(metadata) as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n")


def load(
    weights: str | Path, metadata: str | Path, precision: str | None = None
) -> tuple[keras.Model, dict[str, object]]:
    """Rebuild a trained network in code and give it its weights.

    Parameters
    ----------
    weights, metadata : str or Path
        What `save` wrote.
    precision : str, optional
        Policy to compute in; the one of the training when left out.

    Returns
    -------
    model : keras.Model
    metadata : dict

    Raises
    ------
    ValueError
        When the weights are not those that the metadata describes, or the network has changed since.
    """
    record = json.loads(Path(metadata).read_text())
    digest = storage.sha256(weights)
    if digest != record["weights_sha256"]:
        raise ValueError(
            f"{weights}: expected the weights recorded in {metadata} "
            f"(sha256 {record['weights_sha256']}), got sha256 {digest}"
        )
    policy = runtime.policy(precision or record["precision"])
    model = backbones.build(record["backbone"], record["window"], policy)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # Keras would leave layers random, and warn
            model.load_weights(weights)
    except (ValueError, UserWarning) as error:
        raise ValueError(
            f"{weights}: expected weights of {record['backbone']} as the code builds it now, got those of "
            "another network by that name; train again"
        ) from error
    return model, record


def best_run(metadata: Sequence[str | Path]) -> int:
    """Place of the run with the lowest validation loss; the test part has no say.

    Parameters
    ----------
    metadata : sequence of str or Path
        The ``model.json`` of every run.

    References
    ----------
    Section 3.2 uses "the best model" of five runs without saying how it was chosen.
    """
    losses = [json.loads(Path(path).read_text())["validation_loss"] for path in metadata]
    return min(range(len(losses)), key=losses.__getitem__)
