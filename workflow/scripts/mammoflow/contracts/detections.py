"""Boxes at every threshold, and boxes of somebody else's."""

from mammoflow.boxes import BOX
from mammoflow.tables import Table

DETECTIONS = Table(
    "detections",
    {"image_id": str, "threshold": float, **dict.fromkeys(BOX, int), "score": float},
)
EXTERNAL = Table("external", {"image_id": str, **dict.fromkeys(BOX, float), "score": float})
