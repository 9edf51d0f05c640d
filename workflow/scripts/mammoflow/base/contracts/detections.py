"""Defines the tables of detected boxes: components at every threshold, candidates, and external boxes."""

from mammoflow.base.boxes import BOX
from mammoflow.base.contracts.table import Table

DETECTIONS = Table(
    "detections",
    {"image_id": str, "threshold": float, **dict.fromkeys(BOX, int), "score": float},
)
CANDIDATES = Table("candidates", {"image_id": str, **dict.fromkeys(BOX, int), "score": float})
EXTERNAL = Table("external", {"image_id": str, **dict.fromkeys(BOX, float), "score": float})
