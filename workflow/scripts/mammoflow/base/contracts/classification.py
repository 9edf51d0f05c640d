"""Defines the table of test patches and their probabilities."""

from mammoflow.base.contracts.table import Table

CLASSIFICATION = Table(
    "classification", {"image_id": str, "y": int, "x": int, "label": int, "probability": float}
)
