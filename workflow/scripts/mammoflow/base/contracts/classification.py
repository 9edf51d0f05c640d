"""Defines the table of the test patches of a model and their probabilities."""

from mammoflow.base.contracts.table import Table

CLASSIFICATION = Table(
    "classification",
    {
        "fold": int,
        "run": int,
        "image_id": str,
        "y": int,
        "x": int,
        "label": int,
        "probability": float,
    },
)
