"""Makes table 2: networks and initialisations."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from mammoflow.evaluation import statistics
from mammoflow.report import literature, naming
from mammoflow.report.naming import Labels
from mammoflow.report.tables.presentation import (
    Presentation,
    formatted,
    p,
    text,
    with_interval,
    with_published,
)
from mammoflow.report.tables.trainings import (
    ACCURACY,
    AZ,
    MODEL,
    Patients,
    Run,
    az_interval,
    scores_of,
    summary_of,
    tested,
)

PRESENTATION = Presentation(
    "Table 2. Classification of patches into mass and non-mass: networks and initialisations.",
    {
        "Source": text("source"),
        "Data": text("data"),
        "Network": text("network"),
        "Initialisation": text("initialization"),
        "Folds × runs": lambda row: f"{formatted(row['folds'], 'd')} × {formatted(row['runs'], 'd')}",
        "Accuracy (%)": ACCURACY,
        "Az (95 %)": with_interval(AZ, "az_low", "az_high"),
        "p, initialisation": p("initialization"),
        "p, network": p("network"),
    },
    "Mean ± sample standard deviation (n − 1) over independent runs on the test part; with several "
    "folds, over the means that each run has over its folds, and with one run of several folds, over "
    "the folds. p: two-sided test of the accuracies, Welch's t-test between runs or, with one run of "
    "several folds, the paired t-test fold by fold, against the first initialisation of the same "
    "network and against the network with the highest mean accuracy from the same initialisation; not "
    "corrected for multiple comparisons. Az, in brackets: percentile bootstrap of the mean Az; patients of "
    "the test part are drawn within folds, all patches of a patient together, and the trainings are given. "
    "The paper does not name its test and reports p < 0.01 for "
    "both. Epochs, seconds per epoch and losses are in the CSV.",
)


def table(
    runs: Sequence[Run],
    classifications: Sequence[pd.DataFrame],
    metadata: Sequence[Mapping],
    histories: Sequence[pd.DataFrame],
    labels: Labels,
    patients: Patients,
) -> pd.DataFrame:
    """Table 2: networks and initialisations, mean and sample deviation over independent runs.

    A run is every fold trained once, and counts as the mean of its folds: trainings of several folds share
    their images, so they are no runs of their own. Where each fold was trained only once, mean and
    deviation are over folds.

    Each initialisation of a network is tested against the first one listed, and each network against
    the one with the highest mean accuracy from the same initialisation.

    Parameters
    ----------
    runs : sequence of mapping
        Keys dataset, backbone, init, fold and run.
    classifications, histories : sequence of pandas.DataFrame
        Tables ``classification`` and ``history`` of each run.
    metadata : sequence of mapping
        ``model.json`` of each run.
    labels : mapping
        As in `naming`.
    patients : Patients
        For the interval of Az.

    References
    ----------
    Section 3, experiment 1, table 2. The paper does not name its test; ours is Welch's over runs, and
    the paired t-test over folds where there is one run.
    """
    scores = scores_of(runs, classifications, metadata, patients).assign(
        seconds_per_epoch=[history["seconds"].median() for history in histories],
        epochs=[len(history) for history in histories],
    )
    models = dict(iter(scores.groupby(MODEL, sort=False)))
    accuracies = {key: of_model["accuracy"].mean() for key, of_model in models.items()}
    rows = []
    for key, of_model in models.items():
        dataset, backbone, init = key
        first = next(other for other in models if other[:2] == key[:2])
        alike = [other for other in models if (other[0], other[2]) == (dataset, init)]
        best = max(alike, key=accuracies.get)
        by_initialization, by_network = (
            _difference(of_model, models[other]) if other != key else None for other in (first, best)
        )
        rows.append(
            {
                "source": "ours",
                "data": labels["datasets"][dataset],
                "network": labels["backbones"][backbone],
                "initialization": naming.initialization(init, labels),
                "folds": of_model["fold"].nunique(),
                "runs": of_model["run"].nunique(),
                **summary_of(_over(of_model, "run" if of_model["run"].nunique() > 1 else "fold")),
                **az_interval(of_model),
                "seconds_per_epoch": of_model["seconds_per_epoch"].mean(),
                "epochs": of_model["epochs"].mean(),
                "best_validation_loss": of_model["validation_loss"].min(),
                **tested("initialization", by_initialization, naming.initialization(first[2], labels)),
                **tested("network", by_network, labels["backbones"][best[1]]),
            }
        )
    return with_published(rows, literature.classification())


def _over(scores: pd.DataFrame, unit: str) -> pd.DataFrame:
    """Accuracy and Az of each run, or fold, of a model: the mean of its trainings, NaN where one has none."""
    return scores.groupby(unit)[["accuracy", "az"]].agg(lambda values: values.to_numpy().mean())


def _difference(scores: pd.DataFrame, others: pd.DataFrame) -> statistics.Test:
    """Test of the accuracies of two models: between runs where there are several, else fold by fold."""
    once = scores["run"].nunique() == others["run"].nunique() == 1
    folds = np.intersect1d(scores["fold"], others["fold"])
    unit = "fold" if once and len(folds) > 1 else "run"
    pair = (_over(table, unit)["accuracy"] for table in (scores, others))
    if unit == "fold":
        return statistics.paired(*(accuracies.loc[folds] for accuracies in pair))
    return statistics.welch(*pair)
