"""Why a file, an image or an annotation is left out: reason codes, and the exception that carries one."""

from collections.abc import Iterator
from contextlib import contextmanager

REASONS = {
    # files
    "missing-file": "a table names a file that is not under the root",
    "missing-xml": "an image that should have findings has no annotation file",
    "missing-image": "an annotation file whose image is not under the root",
    "not-in-table": "no table of the release names this file",
    "calcification-case": "an object of CBIS-DDSM's calcifications, which no mass table names",
    "image-excluded": "belongs to an image that is left out",
    "name": "the file name does not follow the release's pattern",
    "outside-root": "the path, or the link it is, leaves the root of the release",
    "symbolic-link": "a folder that is a symbolic link is not followed",
    "duplicate": "the same object is in the release a second time",
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
    "for-processing": "raw data meant for processing",
    "several-samples": "more than one sample per pixel",
    "not-grey": "the photometric interpretation is not MONOCHROME1 or MONOCHROME2",
    "magnification": "a magnification view",
    "spot-compression": "a spot compression view",
    "no-pixels": "no rows, columns or pixel data, or a depth that is not 8 or 16 bits",
    "too-many-pixels": "more pixels than the cap",
    # pixels
    "truncated": "fewer pixel bytes than the header announces",
    "undecodable": "the pinned decoder refuses the pixel data, or they are not what the header announces",
    "decoder-memory": "decoding needs more memory than a decoder may have",
    "decoder-timeout": "decoding takes longer than a decoder may take",
    "decoder-crashed": "the process that decodes ended",
    "high-bit": "stored bits that are not the lowest, and bits set outside them",
    "grey-range": "grey values that do not fit 16 bits",
    # annotations
    "bad-row": "a table row that cannot be understood",
    "bad-xml": "an annotation file that cannot be understood",
    "image-ambiguous": "several series or different objects could be the image",
    "mask-missing": "no object of the region of interest has two values and the size of the image",
    "mask-ambiguous": "several different objects could be the mask",
    "mask-size": "the mask's shape does not fit the image's",
    "mask-constant": "the mask has a single value",
    "contour-points": "a contour with two points or fewer",
    "contour-outside": "a contour without a pixel inside the image",
    "lesion-without-coordinates": "a mass whose place the release does not give",
    "too-many-lesions": "more lesions in an image than its label map can tell apart",
    "lesion-excluded": "a mass of the image cannot be used, so the image is not used either",
    # the images stage
    "changed": "the image or an annotation is no longer what was indexed",
    # breast region
    "breast-area": "the region found is too small or too large a part of the image",
    "breast-fragmented": "the foreground falls apart into several large pieces",
    "spacing-unknown": "a resolution in mm is asked of an image whose pixel spacing is unknown",
}


class Excluded(Exception):
    """Something cannot be used, for a reason that a table will hold.

    Parameters
    ----------
    reason : str
        A key of `REASONS`.
    detail : str
        What was expected and what came; holds no header text, no path and no name.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        if reason not in REASONS:
            raise KeyError(f"reason: expected one of {', '.join(REASONS)}; got {reason!r}")
        super().__init__(f"{reason}: {detail or REASONS[reason]}")
        self.reason = reason
        self.detail = detail or REASONS[reason]


@contextmanager
def unreadable() -> Iterator[None]:
    """Make an exclusion of what the system says of a file that it cannot read.

    Raises
    ------
    Excluded
        ``unreadable``.
    """
    try:
        yield
    except OSError as error:
        raise Excluded("unreadable", f"the file cannot be read ({type(error).__name__})") from None
