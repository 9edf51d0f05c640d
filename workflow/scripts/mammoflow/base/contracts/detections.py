"""Defines the tables of detected boxes: ours at every threshold, and those of external systems."""

from mammoflow.base.boxes import BOX
from mammoflow.base.contracts.table import Table

DETECTIONS = Table(
    "detections",
    {"image_id": str, "threshold": float, **dict.fromkeys(BOX, int), "score": float},
)
EXTERNAL = Table("external", {"image_id": str, **dict.fromkeys(BOX, float), "score": float})
