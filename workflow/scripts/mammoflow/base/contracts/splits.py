"""Who trains, validates and tests."""

from mammoflow.base.contracts.table import Table

SPLITS = Table("splits", {"image_id": str, "patient_id": str, "fold": int, "role": str})
