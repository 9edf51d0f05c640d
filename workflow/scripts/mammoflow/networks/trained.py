"""Trained networks: saved with what it takes to trust them, and loaded again."""

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
        Of training, in its median epoch; the first one, which builds the graph, is left out where there
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
    """Least room that the weights need: Keras opens their file itself, without regard for a full disk."""
    return sum(keras.ops.convert_to_numpy(weight).nbytes for weight in model.weights)


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
