"""Defines the table of stored images: whether each image was stored, or why it was excluded."""

from mammoflow.base.contracts.table import Table

# Flag in the detail of a stored image: a mass lies mostly outside the detected breast.
LESION_OUTSIDE = "lesion-outside-breast"
# Flag: the first method found no plausible breast, so the region of a fallback method is used.
FALLBACK = "fallback-region"

# How the grey values of every stored image are computed; see `grey_values.decode`.
GREY_SCALE = "modality LUT or rescale; no window, no VOI LUT; MONOCHROME1 inverted; nothing below 0"

# `pixels_sha256`: digest of the decoded original; empty if it could not be decoded. `stored_sha256`: digest
# of what was stored, so that the table changes whenever an image does, and later jobs run again.
STORED = Table(
    "stored",
    {
        "image_id": str,
        "stored": bool,
        "reason": str,
        "detail": str,
        "pixels_sha256": str,
        "stored_sha256": str,
    },
)
