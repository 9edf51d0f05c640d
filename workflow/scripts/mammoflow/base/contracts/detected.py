"""Defines the tables that `mammoflow detect` writes, besides boxes, which are a ``candidates`` table."""

from mammoflow.base.contracts.table import Table

# `image_id` is a digest of the file; nothing here names a file or a patient.
DETECTED = Table(
    "detected",
    {
        "image_id": str,
        "rows": int,
        "columns": int,
        "spacing_mm": float,
        "laterality": str,
        "view": str,
        "boxes": int,
    },
)
LEFT_OUT = Table("left-out", {"file": str, "reason": str, "detail": str})
# Only written when asked for: names of files may be names of patients.
FILES = Table("files", {"file": str, "path": str})
