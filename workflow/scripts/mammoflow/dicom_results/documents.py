"""Writes all DICOM objects about a case, and finds the cases among images of several studies."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from pydicom.dataset import Dataset

from mammoflow.base import storage
from mammoflow.dicom import headers
from mammoflow.dicom_results.cad_report import cad_report, check_case
from mammoflow.dicom_results.measurement_report import measurement_report
from mammoflow.dicom_results.presentation_state import presentation_state
from mammoflow.dicom_results.region_masks import region_masks
from mammoflow.dicom_results.subject import Algorithm, ImageFindings

# By the words that stand for them in settings and file names.
OF_IMAGES = {
    "measurement-report": measurement_report,
    "presentation-state": presentation_state,
    "segmentation": region_masks,
}
OF_CASE = "mammography-cad"
KINDS = (*OF_IMAGES, OF_CASE)


class Document(NamedTuple):
    """A DICOM object about an image of a case, counted from 1, or about the case: image 0."""

    kind: str
    image: int
    dataset: Dataset


def cases(findings: Iterable[ImageFindings]) -> list[list[ImageFindings]]:
    """Group findings by study, in the order in which the studies come."""
    studies: dict[str, list[ImageFindings]] = {}
    for each in findings:
        studies.setdefault(str(headers.value(each.source, "StudyInstanceUID", "")), []).append(each)
    return list(studies.values())


def documents(
    case: Sequence[ImageFindings], algorithm: Algorithm, made: datetime, kinds: Sequence[str] = KINDS
) -> Iterator[Document]:
    """Write the DICOM objects about the images of one study.

    Parameters
    ----------
    case : sequence of ImageFindings
        All images of one study, those without candidates too.
    algorithm : Algorithm
        The detector.
    made : datetime
        Local time at which the objects are made.
    kinds : sequence of str
        Of `KINDS`. An image without candidates has no segmentation.

    Yields
    ------
    Document
        One at a time, since the masks are large.

    Raises
    ------
    ValueError
        As `cad_report.check_case`.
    """
    check_case(case)
    for number, findings in enumerate(case, start=1):
        for kind, write in OF_IMAGES.items():
            if kind in kinds and not (kind == "segmentation" and not len(findings.boxes)):
                yield Document(kind, number, write(findings, algorithm, made, number))
    if OF_CASE in kinds:
        yield Document(OF_CASE, 0, cad_report(case, algorithm, made))


def save(dataset: Dataset, path: Path) -> None:
    """Write a DICOM file, completely or not at all."""
    with storage.whole(path) as temporary:
        dataset.save_as(temporary, enforce_file_format=True)
