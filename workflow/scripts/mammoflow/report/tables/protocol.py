"""Makes the protocol table: the same boxes, evaluated under many definitions."""

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from mammoflow.evaluation.definitions import Evaluation, is_external
from mammoflow.report.naming import Labels
from mammoflow.report.tables.operating_points import FPI, at_protocol_fpi, method, model_of
from mammoflow.report.tables.presentation import Presentation, interval, number, spread, text, typed

PRESENTATION = Presentation(
    "Protocol table. The same boxes under other definitions.",
    {
        "Source": text("source"),
        "Method": method,
        "Definition": text("definition"),
        "# to find": number("targets", "d"),
        **{
            f"TPR at {fpi:g} FPI": spread(f"tpr_mean_at_{fpi:g}", f"tpr_std_at_{fpi:g}", ".2f") for fpi in FPI
        },
        "95 % bootstrap at 1 FPI": interval("bootstrap_low_at_1", "bootstrap_high_at_1"),
        "Note": text("note"),
    },
    "How much of a difference between publications may be definition: each row differs from the first of "
    "its method in the thing it names. Mean ± sample standard deviation (n − 1) over the folds that have "
    "something to find. Per image, breast or patient: found when one of its lesions is hit. Unmerged "
    "lesions: every annotated contour by itself. Subsets: boxes on other lesions are ignored; BI-RADS 4 "
    "to 6 of INbreast and VinDr-Mammo stands for malignant, 1 to 3 for benign. VinDr-Mammo has boxes only of "
    "findings of BI-RADS 3 and above, so a mark on a benign mass counts as false there.",
)


def table(
    operating_points: Mapping[str, pd.DataFrame], evaluation: Evaluation, labels: Labels
) -> pd.DataFrame:
    """Protocol table: the same boxes under each definition that publications use.

    Parameters
    ----------
    operating_points, evaluation, labels
        As in `detection_performance.table`.

    Returns
    -------
    pandas.DataFrame
        First the configured definition, then those that differ from it in one thing, named in ``definition``.
    """
    rows = []
    for chain, points in operating_points.items():
        own = evaluation.definition_of(chain)
        for definition in evaluation.protocol():
            if definition.mode != own.mode and is_external(chain):
                definition = replace(definition, mode=own.mode)
            if definition == own and rows and rows[-1]["chain"] == chain:
                continue
            rows.append(
                {
                    "chain": chain,
                    **model_of(chain, labels),
                    "definition": definition.difference(own) or f"as configured ({own.rule}, {own.mode})",
                    **at_protocol_fpi(definition.rows(points), evaluation.bootstrap),
                }
            )
    return typed(pd.DataFrame(rows).drop(columns="chain"))
