"""Makes the table of ablations: the main model with one setting changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from mammoflow.evaluation import comparison, resampling, statistics
from mammoflow.evaluation.definitions import Evaluation
from mammoflow.report.naming import Labels
from mammoflow.report.tables.operating_points import at_protocol_fpi, method, model_of, points_at
from mammoflow.report.tables.presentation import (
    Presentation,
    number,
    p,
    spread,
    text,
    typed,
    with_interval,
)
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
    "label": "patches labelled by {}, not by {}",
    "layers": "{}, not {}",
    "hard_negatives": "{}, not {}",
    "stride": "step of {} pixels between windows, not {}",
    "iou": "IoU of {}, not {}",
    "runs": "maps {}, not {}",
    "mirrored": "windows {}, not {}",
    "magnifications": "images magnified by {}, not {}",
    "smoothing": "maps smoothed by {} steps, not {}",
    "fractions": "candidates at {} of the peak, not {}",
    "scoring": "candidates scored by {}, not by {}",
    "own_scale": "sizes of candidates' own windows: {}, not {}",
}
_VALUES = {
    "normalization": {
        "gcn": "global contrast normalisation",
        "scale": "grey values scaled to 0–255",
        "local": "contrast normalised around each pixel",
    },
    "label": {"centre": "their centre", "fraction": "how much of them is mass"},
    "layers": {"all": "all layers tuned", "head": "only the head tuned"},
    "runs": {"best": "of the best run", "all": "averaged over all runs"},
    "mirrored": {True: "mirrored too", False: "as they are"},
    "scoring": {"learnt": "a learnt score", "peak": "the height of their peak"},
}

# FPI at which candidates are compared.
_COMPARED = 1.0

PRESENTATION = Presentation(
    "Ablations. The model of figure 1 with a setting changed.",
    {
        "Method": method,
        "Setting": text("setting"),
        "Accuracy (%)": ACCURACY,
        "Az": AZ,
        "p": p("setting"),
        "TPR at 1 FPI": spread("tpr_mean_at_1", "tpr_std_at_1", ".2f"),
        "Candidates: TPR at 1 FPI": number("candidates_tpr", ".2f"),
        "Difference (95 %)": with_interval(
            number("candidates_difference", "+.2f"),
            "candidates_difference_low",
            "candidates_difference_high",
        ),
        "Note": text("note"),
    },
    "Mean ± sample standard deviation (n − 1) over folds. Accuracy, Az and p (two-sided paired t-test of the "
    "accuracies, fold by fold) only where there was training from the start; the second training with hard "
    "negatives changes only maps. Grey values are normalised and patches labelled alike in the whole chain; "
    "layers are chosen in its last step only. Accuracy and Az are those of the study's own labels. Ablations "
    "train once a fold; of a model that was trained several times the best run, by "
    "validation loss, stands here. Difference: of candidates from the model as it is, with the "
    "interval of a paired bootstrap of patients. Windows (in the CSV): those at magnification 1, counted "
    "once. The paper's text: very large steps place boxes worse and "
    "very small ones cost much; an IoU of 0.5 gives a TPR of 0.82 ± 0.2 at 1.7 FPI; global contrast "
    "normalisation did better than scaling; tuning only the last layers brought no significant improvement.",
)


@dataclass(frozen=True)
class Ablation:
    """A model with settings changed, or as it is.

    Parameters
    ----------
    changes : mapping
        New values of ``normalization``, ``label``, ``layers``, ``hard_negatives``, ``stride``, ``iou``,
        ``runs``, ``mirrored``, ``magnifications``, ``smoothing``, ``fractions``, ``scoring`` and
        ``own_scale``; none for the model as it is.
    operating_points, draws : pandas.DataFrame
        Tables ``froc-operating-points`` and ``froc-draws``.
    runs, classifications, metadata
        As in `patch_classification`; those of the model where an ablation trains nothing.
    windows : float
        Windows on the grid of an image, on average.
    """

    changes: Mapping[str, object]
    operating_points: pd.DataFrame
    draws: pd.DataFrame
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
                **_candidates(case, cases[0], evaluation),
            }
        )
    return typed(pd.DataFrame(rows))


def _accuracies(case: Ablation, patients: Patients) -> pd.DataFrame:
    """Scores of the run of each fold that detection uses, by fold."""
    return best_runs(scores_of(case.runs, case.classifications, case.metadata, patients)).set_index("fold")


def _candidates(case: Ablation, reference: Ablation, evaluation: Evaluation) -> dict[str, float]:
    """TPR of the candidates, and its difference from that of the model as it is."""
    tpr, before = (
        points_at(
            replace(evaluation.definition, mode="candidate", iou=its.changes.get("iou", evaluation.iou)).rows(
                its.operating_points
            ),
            [_COMPARED],
        )["tpr_mean"].item()
        for its in (case, reference)
    )
    low = high = difference = np.nan
    if case.changes:
        draws, others = (
            comparison.draws_of(its.draws, "candidate", "TPR", _COMPARED) for its in (case, reference)
        )
        difference, (low, high) = tpr - before, resampling.percentiles(comparison.paired(draws, others))
    return {
        "candidates_tpr": tpr,
        "candidates_difference": difference,
        "candidates_difference_low": float(low),
        "candidates_difference_high": float(high),
    }


def _changed(changes: Mapping[str, object], settings: Mapping[str, object]) -> str:
    """What an ablation changes, in print."""
    texts = [
        _CHANGE[key].format(_in_print(key, value), _in_print(key, settings[key]))
        for key, value in changes.items()
    ]
    return "; ".join(texts) or "as it is"


def _in_print(key: str, value: object) -> str:
    """A value of a setting, in print."""
    if key == "hard_negatives":
        again = (
            "trained again with up to {per_image} hard negatives of an image "
            "(probability at least {probability}, images: {images})"
        )
        return again.format(**value) if value else "trained once"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(_VALUES[key][value] if key in _VALUES else value)
