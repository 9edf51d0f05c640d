"""Makes the table that compares models with each other."""

from collections.abc import Mapping

import pandas as pd

from mammoflow.evaluation.comparison import Evaluated, measures
from mammoflow.evaluation.definitions import Definition, Evaluation, is_external
from mammoflow.report import naming
from mammoflow.report.naming import Labels
from mammoflow.report.tables.operating_points import method, model_of, nothing, unreached
from mammoflow.report.tables.presentation import (
    Presentation,
    number,
    p_of,
    text,
    typed,
    with_interval,
)

PRESENTATION = Presentation(
    "Comparison table. Models against each other, paired by patient.",
    {
        "Source": text("source"),
        "Method": method,
        "Measure": lambda row: row["measure"] + (f" at {row['fpi']:g} FPI" if pd.notna(row["fpi"]) else ""),
        "Mode": text("mode"),
        "Value (95 %)": with_interval(number("value", ".3f"), "low", "high"),
        "Difference (95 %)": with_interval(number("difference", "+.3f"), "difference_low", "difference_high"),
        "p": lambda row: p_of(row["p"]),
        "Against": text("against"),
        "Note": text("note"),
    },
    "Means over folds. Intervals: percentiles of the bootstrap of patients within folds, the same draws "
    "for both models; p: two-sided, from the share of paired draws on either side of no difference; not "
    "corrected for multiple comparisons. wAFROC: area under the weighted alternative FROC curve, false "
    "positives of normal images; wAFROC1: those of all images. Both need boxes of mode “candidate”.",
)


def table(models: Mapping[str, Evaluated], evaluation: Evaluation, labels: Labels) -> pd.DataFrame:
    """Comparison of models: what each reaches, and its difference to another by paired draws of patients.

    Parameters
    ----------
    models : mapping of str to Evaluated
        Tables of each chain; the given boxes of others come last.
    evaluation, labels
        As in `detection.table`.

    Returns
    -------
    pandas.DataFrame
        Each cascade is compared with the first one of the same network, and given boxes with the last
        cascade.
    """
    rows = []
    ours = [chain for chain in models if not is_external(chain)]
    for chain, model in models.items():
        first = next((other for other in ours if other.rpartition("/")[0] == chain.rpartition("/")[0]), None)
        reference = ours[-1] if is_external(chain) else first
        other = models[reference] if reference != chain else None
        definition = evaluation.definition_of(chain)
        found = measures(model, definition, evaluation.operating_points, other)
        for row in found.to_dict("records"):
            rows.append(
                {
                    **model_of(chain, labels),
                    **row,
                    "against": naming.experiment(reference, labels) if other else "",
                    "note": _note(row, definition),
                }
            )
    return typed(pd.DataFrame(rows))


def _note(row: Mapping, definition: Definition) -> str:
    if not row["folds"]:
        return nothing("normal" if row["measure"] == "wAFROC" else definition.fpi_over)
    notes = unreached(row)
    if pd.isna(row["low"]):
        notes.append("lesions of fewer than two patients in every fold")
    return "; ".join(notes)
