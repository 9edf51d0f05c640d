"""What all DICOM objects about one image have in common: identifiers, equipment, outlines, wording."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import numpy as np
from pydicom.uid import generate_uid

from mammoflow.dicom_results import source_images
from mammoflow.dicom_results.subject import Algorithm, ImageFindings

# Content Label of presentation states and segmentations, by which viewers list them.
LABEL = "MASS CANDIDATES"


class Kind(NamedTuple):
    """A kind of object: the first of its series numbers, and its name."""

    series_number: int
    name: str


MEASUREMENTS = Kind(9100, "measurement report")
PRESENTATION = Kind(9200, "presentation state")
REGIONS = Kind(9300, "segmentation")
CAD = Kind(9400, "mammography CAD")


def uid(*labels: object) -> str:
    """Identifier that is always the same for the same labels."""
    return generate_uid(entropy_srcs=[repr(labels)])


def tracking_uid(findings: ImageFindings, index: int, algorithm: Algorithm) -> str:
    """Identifier of a candidate, the same in all kinds of objects."""
    box = findings.boxes[index].tolist()
    return uid("candidate", str(findings.source.SOPInstanceUID), algorithm, findings.mode, box)


def tracking_id(index: int) -> str:
    """Name of a candidate within its image: they are numbered from 1, in the order of the boxes."""
    return f"Candidate {index + 1}"


def identity(
    kind: Kind, case: Sequence[ImageFindings], algorithm: Algorithm, made: datetime, number: int
) -> dict[str, object]:
    """What identifies an object, and what made it.

    Every object is alone in its series, because OHIF shows one segmentation and one report of a series.
    Another content or another time gives another object.

    Parameters
    ----------
    kind : Kind
        What it is.
    case : sequence of ImageFindings
        What it is about.
    algorithm : Algorithm
        The detector.
    made : datetime
        Local time at which it is made.
    number : int
        Number of the image within its case, from 1; 0 for the case.

    Returns
    -------
    dict of str to object
        Arguments of highdicom's constructors.
    """
    content = [_content(findings) for findings in case]
    instance = uid("instance", kind, algorithm, made.isoformat(), content)
    where = [case[0].laterality, case[0].view] if number else []
    return {
        "series_instance_uid": uid("series", instance),
        "series_number": kind.series_number + number,
        "series_description": " ".join(["Mass candidates", *filter(None, where)]) + f": {kind.name}",
        "sop_instance_uid": instance,
        "instance_number": 1,
        "manufacturer": algorithm.manufacturer,
        "manufacturer_model_name": algorithm.name,
        "software_versions": algorithm.version,
        "device_serial_number": algorithm.digest,
    }


def _content(findings: ImageFindings) -> tuple:
    where = (str(findings.source.SOPInstanceUID), findings.laterality, findings.view)
    what = (findings.boxes.tolist(), findings.scores.tolist())
    return where, what, (findings.mode, findings.fpi, findings.threshold)


def check(findings: ImageFindings) -> None:
    """Refuse findings about which no DICOM object can be written.

    Raises
    ------
    ValueError
        When they have no source, one of another size, or one that `source_images.check` refuses.
    """
    if findings.source is None:
        raise ValueError("expected findings on a DICOM image, got findings without source")
    source_images.check(findings.source)
    size = findings.source.get("Rows"), findings.source.get("Columns")
    if size != (findings.rows, findings.columns):
        raise ValueError(
            f"expected findings on an image of {size[0]} x {size[1]} pixels, "
            f"got {findings.rows} x {findings.columns}"
        )


def parameters(findings: ImageFindings, algorithm: Algorithm) -> list[str]:
    """Algorithm Parameters (PS3.16 TID 4019 row 3): the bundle and the operating point."""
    return [
        f"bundle SHA-256 {algorithm.digest}",
        f"mode {findings.mode}",
        f"operating point: {operating_point(findings)}",
    ]


def operating_point(findings: ImageFindings) -> str:
    """Threshold and, where it is known, false positives per image, in at most 64 characters."""
    rate = "" if findings.fpi is None else f", {findings.fpi:.3g} false positives per image"
    return f"threshold {findings.threshold:.6g}{rate}"


def percent(score: float) -> float:
    """A score of 0 to 1 as percent, with few enough digits for a decimal string of 16 characters."""
    return round(100 * float(score), 4)


def outline(box: np.ndarray) -> np.ndarray:
    """Closed polyline along the edges of a box.

    Parameters
    ----------
    box : (4,) int array
        ``(y0, x0, y1, x1)``, half-open.

    Returns
    -------
    (5, 2) float array
        Points ``(column, row)``; (0, 0) is the outer corner of the first pixel (PS3.3 C.18.6.1, C.10.5).

    Examples
    --------
    >>> outline(np.array([1, 2, 3, 5])).tolist()
    [[2.0, 1.0], [5.0, 1.0], [5.0, 3.0], [2.0, 3.0], [2.0, 1.0]]
    """
    y0, x0, y1, x1 = box
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)], float)
