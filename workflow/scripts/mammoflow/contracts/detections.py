"""Boxes at every threshold."""

from mammoflow.boxes import BOX
from mammoflow.tables import Table

DETECTIONS = Table(
    "detections",
    {"image_id": str, "threshold": float, **dict.fromkeys(BOX, int), "score": float},
)
