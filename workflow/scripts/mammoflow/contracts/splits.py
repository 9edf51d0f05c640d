"""Who trains, validates and tests."""

from mammoflow.tables import Table

SPLITS = Table("splits", {"image_id": str, "patient_id": str, "fold": int, "role": str})
