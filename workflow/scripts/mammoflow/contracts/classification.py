"""Test patches and their probabilities."""

from mammoflow.tables import Table

CLASSIFICATION = Table(
    "classification", {"image_id": str, "y": int, "x": int, "label": int, "probability": float}
)
