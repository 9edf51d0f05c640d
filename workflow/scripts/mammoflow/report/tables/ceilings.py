"""Makes the table of ceilings: by size, what any box finds, and what few false positives leave of it."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from mammoflow.evaluation.definitions import MODES, SIZES, Evaluation
from mammoflow.report.naming import Labels
from mammoflow.report.tables.operating_points import method, model_of, note_on, points_at
from mammoflow.report.tables.presentation import Presentation, number, text, typed

# FPI at which boxes of both modes stand beside their ceilings.
_FPI = 1.0

# What is shown of both modes, and the columns of operating points that have it.
_SHOWN = {"ceiling": "tpr_ceiling", "tpr": "tpr_mean"}

PRESENTATION = Presentation(
    "Ceilings. Where masses are lost.",
    {
        "Source": text("source"),
        "Method": method,
        "Masses": text("size"),
        "#": number("targets", "d"),
        "Any region of the map": number("paper_ceiling", ".2f"),
        "The paper's boxes at 1 FPI": number("paper_tpr", ".2f"),
        "Any candidate": number("candidate_ceiling", ".2f"),
        "Candidates at 1 FPI": number("candidate_tpr", ".2f"),
        "Note": text("note"),
    },
    "Share of the masses that are found, mean over the folds that have such masses. Any region: one of the "
    "paper's boxes at one threshold or another, so what the network sees at all. Any candidate: one of the "
    "fixed boxes, with any score. A low ceiling is a matter of the network and its map; a large drop from it "
    "to 1 FPI one of the scores.",
)


def table(
    operating_points: Mapping[str, pd.DataFrame], evaluation: Evaluation, labels: Labels
) -> pd.DataFrame:
    """Table of ceilings, with a row for all masses and for each size of each model.

    Parameters
    ----------
    operating_points, evaluation, labels
        As in `detection_performance.table`.

    Returns
    -------
    pandas.DataFrame
        NaN for a mode that boxes do not have, and where there are no such masses.
    """
    rows = [
        {
            **model_of(chain, labels),
            "size": "all" if subset == "all" else _size(subset, evaluation),
            **_found(points, chain, subset, evaluation),
        }
        for chain, points in operating_points.items()
        for subset in ("all", *SIZES)
    ]
    return typed(pd.DataFrame(rows))


def _size(subset: str, evaluation: Evaluation) -> str:
    """A size in print."""
    low, high = (f"{edge:g}" for edge in evaluation.size_strata_cm2)
    return {
        "small": f"below {low} cm²",
        "medium": f"{low} to {high} cm²",
        "large": f"above {high} cm²",
    }[subset]


def _found(points: pd.DataFrame, chain: str, subset: str, evaluation: Evaluation) -> dict[str, object]:
    found = {f"{mode}_{what}": np.nan for mode in MODES for what in _SHOWN}
    notes = {}
    for definition in evaluation.in_modes(chain):
        point = points_at(replace(definition, subset=subset).rows(points), [_FPI]).iloc[0]
        found |= {f"{definition.mode}_{what}": point[column] for what, column in _SHOWN.items()}
        notes[definition.mode] = note_on(point, bootstrap=0)
    same = len(set(notes.values())) == 1
    said = [text if same else f"{mode}: {text}" for mode, text in notes.items() if text]
    return {
        "targets": point["targets"],
        "folds": point["folds"],
        **found,
        "note": "; ".join(dict.fromkeys(said)),
    }
