"""Defines the table that names the test images for the review page."""

from mammoflow.base.contracts.table import Table

CASES = Table("cases", {"case": str, "image_id": str, "fold": int})
# The numbers of figure-errors, one row for each point, bar or cell of a panel.
ERRORS = Table(
    "errors",
    {
        "panel": str,
        "group": str,
        "x": float,
        "y": float,
        "value": float,
        "low": float,
        "high": float,
        "n": int,
    },
)
