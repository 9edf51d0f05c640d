"""What a model found on one image: the content of every kind of output."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Model:
    """The model that found something.

    Parameters
    ----------
    name : str
        ``dataset/backbone/init`` of the study that trained it.
    version : str
        Version of the program.
    digest : str
        SHA-256 of the model's file.
    """

    name: str
    version: str
    digest: str


@dataclass(frozen=True)
class Findings:
    """Boxes on one image, at one operating point.

    Parameters
    ----------
    image_id : str
        Digest of the file's bytes, which says nothing of a patient.
    source : Path
        The file, which may be named after a patient: outputs that are passed on must not contain it.
    rows, columns : int
        Size of the original image in pixels.
    spacing_mm : float or None
        Side of its pixels; None if unknown.
    laterality : {"L", "R", ""}
        Side of the breast; empty if unknown.
    view : str
        ``"CC"`` or ``"MLO"``; empty if unknown, or another one.
    boxes : (n, 4) int array
        ``(y0, x0, y1, x1)``, half-open, in pixels of the original image, by descending score.
    scores : (n,) float array
        Their scores, from 0 to 1.
    mode : {"paper", "candidate"}
        Kind of the boxes, as in `evaluation.definitions.Definition`.
    threshold : float
        Candidates with at least this score, or regions of the map above it.
    fpi : float or None
        Operating point that the threshold was chosen for: false positives per image; None if the user gave
        the threshold.
    searched : str
        Local time at which the image was searched, ISO 8601.
    model : Model
        What found them.
    """

    image_id: str
    source: Path
    rows: int
    columns: int
    spacing_mm: float | None
    laterality: str
    view: str
    boxes: np.ndarray
    scores: np.ndarray
    mode: str
    threshold: float
    fpi: float | None
    searched: str
    model: Model
