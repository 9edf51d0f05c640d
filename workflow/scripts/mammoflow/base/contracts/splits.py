"""Defines the splits table: which images train, validate and test in each fold."""

from mammoflow.base.contracts.table import Table

SPLITS = Table("splits", {"image_id": str, "patient_id": str, "fold": int, "role": str})
