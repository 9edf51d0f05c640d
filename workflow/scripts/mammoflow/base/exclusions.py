"""Defines the reasons for which files, images or annotations are excluded, and their exception."""

from collections.abc import Iterator
from contextlib import contextmanager

REASONS = {
    # files
    "missing-file": "a table names a file that is not under the root",
    "missing-xml": "an image that should have findings has no annotation file",
    "missing-image": "the image of an annotation file is not under the root",
    "not-in-table": "no table of the release names this file",
    "calcification-case": "an object of a CBIS-DDSM calcification case, which no mass table names",
    "image-excluded": "belongs to an excluded image",
    "name": "the file name does not follow the release's pattern",
    "outside-root": "the path, or the target of its symbolic link, is outside the root of the release",
    "symbolic-link": "a folder that is a symbolic link is not followed",
    "duplicate": "the release contains the same object twice",
    # headers (checked before any pixel is decoded)
    "not-dicom": "no DICOM prefix",
    "unreadable": "the file or an element of its header cannot be read",
    "deflated": "deflated transfer syntax",
    "transfer-syntax": "a transfer syntax without a pinned decoder",
    "dicomdir": "a media directory",
    "structured-report": "a structured report",
    "presentation-state": "a presentation state",
    "not-mammography": "the modality is not MG",
    "tomosynthesis": "a tomosynthesis object",
    "several-frames": "more than one frame",
    "subtracted-image": "a subtracted image of contrast-enhanced mammography",
    "for-processing": "raw data meant for processing",
    "several-samples": "more than one sample per pixel",
    "not-grey": "the photometric interpretation is not MONOCHROME1 or MONOCHROME2",
    "magnification": "a magnification view",
    "spot-compression": "a spot compression view",
    "no-pixels": "no rows, columns or pixel data, or a depth that is not 8 or 16 bits",
    "too-many-pixels": "more pixels than the limit",
    "orientation": "the picture is to be turned before it is shown, so that it is not known what its boxes "
    "refer to",
    # pixels
    "truncated": "fewer pixel bytes than the header announces",
    "undecodable": "the pinned decoder rejects the pixel data, or they do not match the header",
    "decoder-memory": "decoding needs more memory than the limit",
    "decoder-timeout": "decoding takes longer than the limit",
    "decoder-crashed": "the decoder process ended unexpectedly",
    "high-bit": "the stored bits are not the lowest, and bits outside them are set",
    "grey-range": "grey values that do not fit 16 bits",
    # annotations
    "bad-row": "a table row that cannot be understood",
    "bad-xml": "an annotation file that cannot be understood",
    "bad-annotation": "an annotation that cannot be understood",
    "crowd": "a group of masses that the annotation does not separate (iscrowd)",
    "image-ambiguous": "several series or different objects could be the image",
    "mask-missing": "no object of the region of interest has two values and the size of the image",
    "mask-ambiguous": "several different objects could be the mask",
    "mask-size": "the mask's shape does not fit the image's",
    "mask-constant": "the mask has a single value",
    "contour-points": "a contour with two points or fewer",
    "contour-outside": "a contour without a pixel inside the image",
    "lesion-without-coordinates": "the release gives no coordinates for a mass",
    "lesion-ambiguous": "the image has a mass and other findings, and its outlines do not say which is which",
    "too-many-lesions": "more lesions in an image than its label map can distinguish",
    "other-findings": "the image has findings, none of them a mass",
    "image-size": "the table gives the image another size than its file has",
    "lesion-excluded": "a mass of the image cannot be used, so the image is not used either",
    # the images stage
    "changed": "the image or an annotation has changed since it was indexed",
    # breast region
    "breast-area": "the breast region covers too little or too much of the image",
    "breast-fragmented": "the foreground consists of several large pieces",
    "spacing-unknown": "the resolution is in mm, but the pixel spacing of the image is unknown",
}


class Excluded(Exception):
    """Raised when a file, an image or an annotation cannot be used; the reason is recorded in a table.

    Parameters
    ----------
    reason : str
        A key of `REASONS`.
    detail : str
        What was expected and what was found; must not contain header text, paths or names.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        if reason not in REASONS:
            raise KeyError(f"reason: expected one of {', '.join(REASONS)}; got {reason!r}")
        super().__init__(f"{reason}: {detail or REASONS[reason]}")
        self.reason = reason
        self.detail = detail or REASONS[reason]

    def __reduce__(self) -> tuple:
        return type(self), (self.reason, self.detail)


@contextmanager
def unreadable() -> Iterator[None]:
    """Convert the system's error for a file that cannot be read to an exclusion.

    Raises
    ------
    Excluded
        ``unreadable``.
    """
    try:
        yield
    except OSError as error:
        raise Excluded("unreadable", f"the file cannot be read ({type(error).__name__})") from None
