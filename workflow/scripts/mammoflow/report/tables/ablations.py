"""Makes the table of ablations: the main model with one setting changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from mammoflow.evaluation import statistics
from mammoflow.evaluation.definitions import Evaluation
from mammoflow.report.naming import Labels
from mammoflow.report.tables.operating_points import FPI, at_protocol_fpi, method, model_of
from mammoflow.report.tables.presentation import Presentation, p, spread, text, typed
from mammoflow.report.tables.trainings import (
    ACCURACY,
    AZ,
    Patients,
    Run,
    best_runs,
    scores_of,
    summary_of,
    tested,
)

# What an ablation changes, and values of it, in print.
_CHANGE = {
    "normalization": "{}, not {}",
    "layers": "{}, not {}",
    "stride": "step of {} pixels between windows, not {}",
    "iou": "IoU of {}, not {}",
}
_VALUES = {
    "gcn": "global contrast normalisation",
    "scale": "grey values scaled to 0–255",
    "all": "all layers tuned",
    "head": "only the head tuned",
}

PRESENTATION = Presentation(
    "Ablations. The model of figure 1 with a setting changed.",
    {
        "Method": method,
        "Setting": text("setting"),
        "Accuracy (%)": ACCURACY,
        "Az": AZ,
        "p": p("setting"),
        **{
            f"TPR at {fpi:g} FPI": spread(f"tpr_mean_at_{fpi:g}", f"tpr_std_at_{fpi:g}", ".2f") for fpi in FPI
        },
        "Note": text("note"),
    },
    "Mean ± sample standard deviation (n − 1) over folds. Accuracy, Az and p (two-sided paired t-test of "
    "the accuracies, fold by fold) only where there was training. Grey values are normalised alike in "
    "the whole chain; layers are chosen in its last step only. Ablations train once a fold; of a model that "
    "was trained several times the best run, by validation loss, stands here. The paper's text: very large "
    "steps place boxes worse and very small ones cost much; an IoU of 0.5 gives a TPR of 0.82 ± 0.2 at 1.7 "
    "FPI; global contrast normalisation did better than scaling; tuning only the last layers brought no "
    "significant improvement.",
)


@dataclass(frozen=True)
class Ablation:
    """A model with settings changed, or as it is.

    Parameters
    ----------
    changes : mapping
        New values of ``normalization``, ``layers``, ``stride`` and ``iou``; none for the model as it is.
    operating_points : pandas.DataFrame
        Table ``froc-operating-points``.
    runs, classifications, metadata
        As in `patch_classification`; those of the model where an ablation trains nothing.
    windows : float
        Windows on the grid of an image, on average.
    """

    changes: Mapping[str, object]
    operating_points: pd.DataFrame
    runs: Sequence[Run]
    classifications: Sequence[pd.DataFrame]
    metadata: Sequence[Mapping]
    windows: float


def table(
    chain: str,
    cases: Sequence[Ablation],
    settings: Mapping[str, object],
    evaluation: Evaluation,
    labels: Labels,
    patients: Patients,
) -> pd.DataFrame:
    """Table of ablations: the shown model, and the same with settings changed.

    Parameters
    ----------
    chain : str
        The model.
    cases : sequence of Ablation
        First the model as it is.
    settings : mapping
        What the changes are changes of, by the same keys.
    evaluation : Evaluation
        The settings.
    labels, patients
        As in `patch_classification.table`.

    Returns
    -------
    pandas.DataFrame
        Accuracy and Az of the patches only where there was training.

    References
    ----------
    Section 4: the step between test windows, IoU of 0.5, scaling in place of GCN, shallow tuning.
    """
    rows = []
    reference = _accuracies(cases[0], patients)
    for case in cases:
        scores = _accuracies(case, patients)
        same = not case.changes or not scores.index.equals(reference.index)
        test = None if same else statistics.paired(scores["accuracy"], reference["accuracy"])
        trained = case is cases[0] or case.runs != cases[0].runs
        definition = replace(evaluation.definition, iou=case.changes.get("iou", evaluation.iou))
        rows.append(
            {
                **model_of(chain, labels),
                "setting": _changed(case.changes, settings),
                **(summary_of(scores) if trained else dict.fromkeys(summary_of(scores), np.nan)),
                **tested("setting", test if trained else None, "the model as it is"),
                "windows": case.windows,
                **at_protocol_fpi(definition.rows(case.operating_points), evaluation.bootstrap),
            }
        )
    return typed(pd.DataFrame(rows))


def _accuracies(case: Ablation, patients: Patients) -> pd.DataFrame:
    """Scores of the run of each fold that detection uses, by fold."""
    return best_runs(scores_of(case.runs, case.classifications, case.metadata, patients)).set_index("fold")


def _changed(changes: Mapping[str, object], settings: Mapping[str, object]) -> str:
    """What an ablation changes, in print."""
    texts = [
        _CHANGE[key].format(*(_VALUES.get(which, which) for which in (value, settings[key])))
        for key, value in changes.items()
    ]
    return "; ".join(texts) or "as it is"
