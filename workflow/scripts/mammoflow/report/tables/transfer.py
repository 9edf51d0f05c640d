"""Makes the table of experiment 4: models on the images of other data sets."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from mammoflow.base.chains import is_transferred
from mammoflow.evaluation import froc
from mammoflow.evaluation.definitions import Definition, Evaluation
from mammoflow.report import naming
from mammoflow.report.naming import BOXES, Labels
from mammoflow.report.tables.operating_points import FPI, at_protocol_fpi
from mammoflow.report.tables.presentation import (
    NONE,
    Cell,
    Presentation,
    formatted,
    number,
    text,
    typed,
    with_interval,
)
from mammoflow.report.tables.trainings import AZ, Patients, Run, az_interval, best_runs, scores_of, summary_of

# The FPI at which the threshold of the training data is carried over, in the table and the figure.
CARRIED = 1.0


def _tpr(fpi: float) -> Cell:
    ends = (f"bootstrap_low_at_{fpi:g}", f"bootstrap_high_at_{fpi:g}")
    return with_interval(number(f"tpr_mean_at_{fpi:g}", ".2f"), *ends)


def _carried(row: Mapping) -> str:
    fpi, tpr = (formatted(row[f"{rate}_carried_at_{CARRIED:g}"], ".2f") for rate in ("fpi", "tpr"))
    return NONE if fpi == NONE else f"FPI {fpi}, TPR {tpr}"


PRESENTATION = Presentation(
    "Transfer table. Does a model work elsewhere?",
    {
        "Network": text("network"),
        "Trained on": text("cascade"),
        "Tested on": text("tested_on"),
        "Boxes": lambda row: BOXES[row["mode"]],
        **{f"TPR at {fpi:g} FPI (95 %)": _tpr(fpi) for fpi in FPI},
        "Az (95 %)": with_interval(AZ, "az_low", "az_high"),
        f"At the threshold for {CARRIED:g} FPI of its own data": _carried,
    },
    "Models on the test part of each data set: as they are, and trained further on the training part of the "
    "data set, which is then the last of the cascade. A model that is tested as it is brings along its "
    "networks, of the fold with the lowest validation loss, and the score of its candidates; images have the "
    "working resolution of the data set that they belong to. TPR and Az: mean over folds, in brackets "
    "percentile bootstrap of patients within folds. Last column: the threshold that gives "
    f"{CARRIED:g} false positive per image on the validation part of the data that a model was trained on, "
    "applied to the test images (of its own data, to those of its fold); an FPI far from it says that "
    "thresholds must be chosen anew. A dash there: the model was trained on this data set among others, or "
    "trained further; or no threshold is known.",
)


@dataclass(frozen=True)
class Result:
    """What a model reaches on a data set.

    Parameters
    ----------
    trained_on, tested_on : str
        Data sets, as in a chain.
    fine_tuned : bool
        Whether the model was trained further on ``tested_on``.
    chain : str
        ``dataset/backbone/init``.
    operating_points, pooled : pandas.DataFrame
        Tables ``froc-operating-points`` and ``froc-pooled``.
    runs, classifications, metadata : sequence
        As in `trainings.scores_of`.
    patients : Patients
        Of ``tested_on``.
    thresholds : mapping or None
        By mode, the operating points of the model file; None where no threshold is carried over.
    """

    trained_on: str
    tested_on: str
    fine_tuned: bool
    chain: str
    operating_points: pd.DataFrame
    pooled: pd.DataFrame
    runs: Sequence[Run]
    classifications: Sequence[pd.DataFrame]
    metadata: Sequence[Mapping]
    patients: Patients
    thresholds: Mapping[str, Sequence[Mapping[str, float]]] | None


def table(results: Sequence[Result], evaluation: Evaluation, labels: Labels) -> pd.DataFrame:
    """Every model on every data set, with each kind of boxes.

    Parameters
    ----------
    results : sequence of Result
        By network and data set of the training.
    evaluation, labels
        As in `detection_performance.table`.

    Returns
    -------
    pandas.DataFrame
        TPR at the FPI of the protocol table and Az, with intervals. Columns ``threshold_at_1``,
        ``fpi_carried_at_1`` and ``tpr_carried_at_1``, and so on: a threshold that gives this FPI on the
        validation part of the training data, and what it gives on the test images of all folds together; on
        its own data, on those of the fold of the model file.
    """
    return typed(pd.DataFrame(row for result in results for row in _rows(result, evaluation, labels)))


def _rows(result: Result, evaluation: Evaluation, labels: Labels) -> Iterator[dict[str, object]]:
    dataset, backbone, init = result.chain.split("/")
    scores = best_runs(scores_of(result.runs, result.classifications, result.metadata, result.patients))
    kind = "as it is" if is_transferred(init) else "trained further" if result.fine_tuned else "own data"
    for definition in evaluation.in_modes(result.chain):
        yield {
            "network": labels["backbones"][backbone],
            "cascade": naming.cascade(dataset, init, labels),
            "trained_on": naming.datasets(result.trained_on, labels),
            "tested_on": labels["datasets"][result.tested_on],
            "kind": kind,
            "mode": definition.mode,
            **at_protocol_fpi(definition.rows(result.operating_points), evaluation.bootstrap),
            **summary_of(scores),
            **az_interval(scores),
            **_carried_over(result, definition),
        }


def _carried_over(result: Result, definition: Definition) -> dict[str, float]:
    """What the thresholds of the model file give on test images; missing where there are none.

    On its own data a threshold belongs to the networks of one fold, whose validation part is tested in
    another one: the model file says what it gives on the test part of its fold. Elsewhere all images are
    strangers.
    """
    given = {point["fpi"]: point for point in (result.thresholds or {}).get(definition.mode, [])}
    pooled, found = definition.rows(result.pooled), {}
    for fpi in FPI:
        point, rates = given.get(float(fpi)), {}
        if point and result.trained_on == result.tested_on:
            rates = {"fpi": point["fpi_test"], "tpr": point["tpr_test"]}
        elif point and len(pooled):
            rates = froc.row_at(pooled, point["threshold"], definition.mode)
        found[f"threshold_at_{fpi:g}"] = point["threshold"] if point else float("nan")
        for rate in ("fpi", "tpr"):
            value = rates.get(rate)
            found[f"{rate}_carried_at_{fpi:g}"] = float("nan") if value is None else value
    return found
