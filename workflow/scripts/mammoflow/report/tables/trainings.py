"""Summarises test accuracy and Az of trainings, for tables 2 and 3 and the ablations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mammoflow.base import seeds
from mammoflow.base.contracts.classification import CLASSIFICATION
from mammoflow.evaluation import resampling, statistics
from mammoflow.report.tables.presentation import spread

Run = Mapping[str, str | int]

MODEL = ["dataset", "backbone", "init"]

ACCURACY = spread("accuracy_percent_mean", "accuracy_percent_std", ".2f")
AZ = spread("az_mean", "az_std", ".2f")


@dataclass(frozen=True)
class Patients:
    """Whose the test patches are, and how patients are drawn for intervals.

    Parameters
    ----------
    of_images : pandas.Series
        The ``patient_id`` by ``image_id``.
    draws : int
        How often.
    seed : int
        The study's.
    """

    of_images: pd.Series
    draws: int
    seed: int

    def az_of_draws(self, run: Run, table: pd.DataFrame) -> np.ndarray:
        """Az of the test patches of a training in every draw, (draws,) float array.

        The draws are those of the fold: trainings on it have them in common.
        """
        codes, names = pd.factorize(table["image_id"].map(self.of_images), sort=True)
        generator = seeds.generator(self.seed, "az", run["dataset"], run["fold"])
        draws = resampling.draws(len(names), self.draws, generator)
        return statistics.az_of_draws(table["label"], table["probability"], codes, draws)


def of_run(classification: pd.DataFrame, run: Run) -> pd.DataFrame:
    """Rows of one training in the ``classification`` table of its model."""
    fold, number = classification["fold"] == run["fold"], classification["run"] == run["run"]
    return classification[fold & number].reset_index(drop=True)


def read(paths: Sequence[str], runs: Sequence[Run]) -> list[pd.DataFrame]:
    """Rows of each training in the ``classification`` table of its model; every file is read once."""
    tables = {path: CLASSIFICATION.read(path) for path in dict.fromkeys(paths)}
    return [of_run(tables[path], run) for path, run in zip(paths, runs, strict=True)]


def accuracy_and_az(classification: pd.DataFrame) -> dict[str, float]:
    """Share of test patches on the right side of one half, and area under their ROC curve."""
    right = (classification["probability"] > 0.5) == (classification["label"] == 1)
    az = statistics.az(classification["label"], classification["probability"])
    return {"accuracy": right.mean(), "az": az}


def scores_of(
    runs: Sequence[Run],
    classifications: Sequence[pd.DataFrame],
    metadata: Sequence[Mapping],
    patients: Patients,
) -> pd.DataFrame:
    """A row per run: its key, test accuracy and Az, Az of every draw of patients, and validation loss."""
    return pd.DataFrame(
        {
            **run,
            **accuracy_and_az(table),
            "az_of_draws": patients.az_of_draws(run, table),
            "validation_loss": record["validation_loss"],
        }
        for run, table, record in zip(runs, classifications, metadata, strict=True)
    )


def best_runs(scores: pd.DataFrame) -> pd.DataFrame:
    """The run of each model and fold that detection uses."""
    return scores.loc[scores.groupby([*MODEL, "fold"], sort=False)["validation_loss"].idxmin()]


def summary_of(scores: pd.DataFrame) -> dict[str, float]:
    """Columns of accuracy and Az: mean and sample deviation over rows of scores."""
    accuracy, accuracy_std = statistics.mean_std(100 * scores["accuracy"])
    az, az_std = statistics.mean_std(scores["az"])
    return {
        "accuracy_percent_mean": float(accuracy),
        "accuracy_percent_std": float(accuracy_std),
        "az_mean": float(az),
        "az_std": float(az_std),
    }


def az_interval(scores: pd.DataFrame) -> dict[str, float]:
    """Interval of the mean Az of a model's trainings: patients are drawn, the trainings are given."""
    low, high = resampling.percentiles(np.mean(list(scores["az_of_draws"]), axis=0))
    return {"az_low": float(low), "az_high": float(high)}


def tested(what: str, test: statistics.Test | None, against: str) -> dict[str, float | str]:
    """Columns of a test; empty in the row that others are tested against."""
    if test is None:
        return {f"p_{what}": np.nan, f"{what}_against": "", f"{what}_test": ""}
    why = f" ({test.undefined})" if test.undefined else ""
    return {f"p_{what}": test.p, f"{what}_against": against, f"{what}_test": test.name + why}
