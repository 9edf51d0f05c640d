"""What DICOM objects are about: a detector, and what it found on an image of which the header is known."""

import re
from dataclasses import dataclass, field

import numpy as np
from pydicom.dataset import Dataset


@dataclass(frozen=True)
class Algorithm:
    """The detector that found the candidates.

    Parameters
    ----------
    name, version : str
        Name and version of the detector, for example ``inbreast/vgg16/imagenet`` and the package's version.
    digest : str
        SHA-256 of the bundle, hexadecimal.
    manufacturer : str
        Who made it.

    Raises
    ------
    ValueError
        When a text is empty, longer than the 64 characters of DICOM, or has a backslash; for another digest.
    """

    name: str
    version: str
    digest: str
    manufacturer: str = "mammoflow"

    def __post_init__(self) -> None:
        """Check the texts."""
        for what in ("name", "version", "manufacturer"):
            text = getattr(self, what)
            if not 1 <= len(text) <= 64 or "\\" in text:
                raise ValueError(
                    f"algorithm: expected a {what} of 1 to 64 characters, no backslash, got {text!r}"
                )
        if not re.fullmatch("[0-9a-f]{64}", self.digest):
            raise ValueError(f"algorithm: expected a SHA-256 of 64 hexadecimal digits, got {self.digest!r}")


@dataclass(frozen=True)
class ImageFindings:
    """Candidates on one DICOM image, at one operating point.

    Parameters
    ----------
    rows, columns : int
        Size of the original image in pixels.
    boxes : (N, 4) int array
        ``(y0, x0, y1, x1)``, half-open, in original pixels. N may be 0.
    scores : (N,) float array
        Scores of the boxes, 0 to 1.
    mode : {"candidate", "paper"}
        How the boxes were made.
    fpi : float or None
        False positives per image that the operating point has on validation images; None where only the
        threshold was chosen.
    threshold : float
        Least score at the operating point.
    laterality : str or None
        ``L`` or ``R``.
    view : str or None
        ``CC``, ``MLO`` or another view; see `dicom_results.codes.VIEWS`.
    source : pydicom.dataset.Dataset or None
        Header of the image, as `dicom_results.source_images.read_source` returns it; None for a picture that
        is not DICOM. It holds the patient's identity and is therefore not shown.

    Raises
    ------
    ValueError
        When boxes are empty or outside the image, when scores are not from 0 to 1, or their numbers differ.
    """

    rows: int
    columns: int
    boxes: np.ndarray
    scores: np.ndarray
    mode: str
    fpi: float | None
    threshold: float
    laterality: str | None = None
    view: str | None = None
    source: Dataset | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check boxes and scores."""
        boxes, scores = np.asarray(self.boxes).reshape(-1, 4), np.asarray(self.scores, float).reshape(-1)
        if len(boxes) and not np.issubdtype(boxes.dtype, np.integer):
            raise ValueError(f"boxes: expected whole pixels, got {boxes.dtype}")
        if len(boxes) != len(scores):
            raise ValueError(f"expected a score for each of {len(boxes)} boxes, got {len(scores)}")
        y0, x0, y1, x1 = boxes.T
        inside = (y0 >= 0) & (y0 < y1) & (y1 <= self.rows) & (x0 >= 0) & (x0 < x1) & (x1 <= self.columns)
        if not inside.all():
            raise ValueError(
                f"boxes: expected y0 < y1 and x0 < x1 within {self.rows} x {self.columns} pixels, "
                f"got {boxes[~inside][0].tolist()}"
            )
        if not ((scores >= 0) & (scores <= 1)).all():
            raise ValueError("scores: expected numbers from 0 to 1")
        object.__setattr__(self, "boxes", boxes.astype(int))
        object.__setattr__(self, "scores", scores)
