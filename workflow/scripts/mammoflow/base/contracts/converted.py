"""Defines the table of the pictures that `mammoflow convert` writes, and of their places in the originals."""

from mammoflow.base.boxes import BOX
from mammoflow.base.contracts.table import Table

# `rows` and `columns` are of the original image, the box is the crop in it.
PICTURES = Table(
    "pictures",
    {
        "number": int,
        "image_id": str,
        "rows": int,
        "columns": int,
        **dict.fromkeys(BOX, int),
        "mirrored": bool,
        "factor": float,
        "bits": int,
        "pixels_sha256": str,
    },
)
