"""What became of each image that the images stage was given."""

from mammoflow.base.contracts.table import Table

# A flag in the detail of a stored image: a mass of it lies mostly outside the breast that was found.
LESION_OUTSIDE = "lesion-outside-breast"
# Another one: the first method found no plausible breast, and a fallback's region is used.
FALLBACK = "fallback-region"

# What the grey values of every stored image are, in training and in detection; see `grey_values.decode`.
GREY_SCALE = "modality LUT or rescale; no window, no VOI LUT; MONOCHROME1 inverted; nothing below 0"

# `pixels_sha256`: digest of the decoded original, empty where it could not be decoded.
STORED = Table(
    "stored", {"image_id": str, "stored": bool, "reason": str, "detail": str, "pixels_sha256": str}
)
