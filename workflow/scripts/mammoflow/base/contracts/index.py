"""Defines the tables of the index of a release."""

from mammoflow.base.boxes import BOX
from mammoflow.base.contracts.table import Table

IMAGES = Table(
    "images",
    {
        "image_id": str,
        "patient_id": str,
        "laterality": str,
        "view": str,
        "official_split": str,
        "path": str,
        "rows": int,
        "columns": int,
        "spacing_mm": float,
        "spacing_source": str,
        "flags": str,
    },
)
LESIONS = Table(
    "lesions",
    {
        "image_id": str,
        "lesion_id": str,
        **dict.fromkeys(BOX, int),
        "area_px": int,
        "area_cm2": float,
        "pathology": str,
        "source": str,
    },
)
EXCLUDED = Table("excluded", {"path": str, "reason": str, "detail": str})
RECONCILIATION = Table(
    "reconciliation", {"quantity": str, "paper": float, "found": float, "difference": float}
)
# `begins`: the stage to re-run from, `images` or `index`.
REPLACED = Table("replaced", {"image_id": str, "begins": str})
