"""Presents the comparison of the study's counts with the paper's (`report.reconciliation`) as a table."""

from mammoflow.report.tables.presentation import Presentation, number, text

PRESENTATION = Presentation(
    "Reconciliation. Counts of the release and of every fold beside the paper's.",
    {
        "Data": text("data"),
        "Fold": number("fold", "d"),
        "Quantity": text("quantity"),
        "Paper": number("paper", "d"),
        "Found": number("found", "d"),
        "Difference": number("difference", "+d"),
    },
    "Paper: table 1 of Agarwal et al. 2019 (one fold of each archive) and the text, for the real "
    "archives only; for VinDr-Mammo and CDD-CESM, their published counts. A dash where there is no such "
    "count. Nothing is made to agree.",
)
