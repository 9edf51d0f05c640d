"""Saves trained networks with the metadata needed to verify them, and loads them again."""

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import pandas as pd

from mammoflow.base import storage
from mammoflow.networks import backbones, runtime


@dataclass(frozen=True)
class Fitted:
    """The result of `fitting.fit`.

    Parameters
    ----------
    model : keras.Model
        With the weights of the best epoch.
    history : pandas.DataFrame
        A ``history`` table.
    best_epoch : int
        The epoch, from 1, with the lowest validation loss.
    validation_loss : float
        Validation loss of the best epoch.
    patches_per_second : float
        Training speed in the median epoch; the first epoch, which builds the graph, is excluded if there
        are others.
    """

    model: keras.Model
    history: pd.DataFrame
    best_epoch: int
    validation_loss: float
    patches_per_second: float


def save(
    fitted: Fitted, weights: str | Path, metadata: str | Path, network: Mapping[str, object], **facts: object
) -> None:
    """Write the weights, and the metadata needed to rebuild and verify the network.

    Parameters
    ----------
    fitted : Fitted
        The result of `fitting.fit`.
    weights, metadata : str or Path
        ``model.weights.h5`` and ``model.json``.
    network : mapping
        ``backbone``, ``window``, ``normalization`` and ``precision``.
    **facts
        Additional entries of the metadata.
    """
    with storage.whole(weights, room=_bytes(fitted.model)) as temporary:
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


def _bytes(model: keras.Model) -> int:
    """Disk space that the weights need at least; Keras writes the file itself and ignores a full disk."""
    return sum(keras.ops.convert_to_numpy(weight).nbytes for weight in model.weights)


def load(
    weights: str | Path, metadata: str | Path, precision: str | None = None
) -> tuple[keras.Model, dict[str, object]]:
    """Rebuild a trained network and load its weights.

    Parameters
    ----------
    weights, metadata : str or Path
        Files written by `save`.
    precision : str, optional
        Precision of the computation; by default that of the training.

    Returns
    -------
    model : keras.Model
    metadata : dict

    Raises
    ------
    ValueError
        When the weights do not match the metadata, or the network's code has changed since.
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
            warnings.simplefilter("error", UserWarning)  # otherwise Keras only warns if layers stay random
            model.load_weights(weights)
    except (ValueError, UserWarning) as error:
        raise ValueError(
            f"{weights}: expected weights that fit the current code of {record['backbone']}, got weights of "
            "another network of that name; train again"
        ) from error
    return model, record


def best_run(metadata: Sequence[str | Path]) -> int:
    """Index of the run with the lowest validation loss; the test part is not used.

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


def runs(metadata: Sequence[str | Path], which: str, folds: Sequence[int]) -> list[int]:
    """Indices of the runs of a model that detect: its `best_run` alone, or all of the same fold.

    Parameters
    ----------
    metadata : sequence of str or Path
        The ``model.json`` of every run.
    which : {'best', 'all'}
        As in the config, ``detection.ensemble.runs``.
    folds : sequence of int
        The fold in which each run was trained.
    """
    best = best_run(metadata)
    return [place for place, fold in enumerate(folds) if fold == folds[best]] if which == "all" else [best]
