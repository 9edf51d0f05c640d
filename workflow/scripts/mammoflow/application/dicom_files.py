"""Writes what was found on DICOM files as DICOM objects, for an archive of images or a viewer."""

import warnings
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from mammoflow.base.exclusions import Excluded
from mammoflow.detection.findings import Findings
from mammoflow.dicom import headers
from mammoflow.dicom_results import documents, source_images
from mammoflow.dicom_results.subject import Algorithm, ImageFindings

FOLDER = "dicom"

# Characters of a name in DICOM (PS3.5, value representation LO).
_NAME = 64


def write(found: Sequence[Findings], out: Path) -> list[str]:
    """Write the DICOM objects of all images that are DICOM files.

    Objects of an image are named after it, and the report of a study after the first of its images: no name
    has anything of a patient. The objects themselves have the patient and the study of their image. The same
    findings give the same objects again.

    Parameters
    ----------
    found : sequence of Findings
        Of every image, in an order that does not change.
    out : Path
        Folder for the results; the objects lie in ``dicom`` there.

    Returns
    -------
    list of str
        A sentence for each image or study of which no objects can be written, by the names of the images.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom quotes values of the header
        return _write(found, out)


def _write(found: Sequence[Findings], out: Path) -> list[str]:
    subjects, refused = [], []
    for each in found:
        if headers.is_dicom(each.source):
            try:
                subjects.append((_subject(each), each))
            except (Excluded, ValueError) as error:
                refused.append(_refusal([each], error))
    findings_of = {id(subject): each for subject, each in subjects}
    for case in documents.cases(subject for subject, _ in subjects):
        images = [findings_of[id(subject)] for subject in case]
        try:
            _write_case(case, images, out / FOLDER)
        except (Excluded, ValueError) as error:
            refused.append(_refusal(images, error))
    return refused


def _write_case(case: Sequence[ImageFindings], images: Sequence[Findings], folder: Path) -> None:
    model = images[0].model
    algorithm = Algorithm(model.name[-_NAME:], model.version, model.digest)
    made = datetime.fromisoformat(max(image.searched for image in images))
    done = all(_path(folder, image, kind).is_file() for image in images for kind in _kinds(image))
    for document in documents.documents(
        case, algorithm, made, [documents.OF_CASE] if done else documents.KINDS
    ):
        documents.save(document.dataset, _path(folder, images[max(document.image - 1, 0)], document.kind))
    for image in images[1:]:  # the report of a run before the first image was added
        _path(folder, image, documents.OF_CASE).unlink(missing_ok=True)


def _kinds(image: Findings) -> list[str]:
    """Kinds of objects about an image; without boxes there is no segmentation."""
    return [kind for kind in documents.OF_IMAGES if kind != "segmentation" or len(image.boxes)]


def _path(folder: Path, image: Findings, kind: str) -> Path:
    return folder / f"{image.image_id}-{kind}.dcm"


def _refusal(images: Sequence[Findings], error: Exception) -> str:
    return f"{', '.join(image.image_id for image in images)}: no DICOM objects: {error}"


def _subject(found: Findings) -> ImageFindings:
    return ImageFindings(
        rows=found.rows,
        columns=found.columns,
        boxes=found.boxes,
        scores=found.scores,
        mode=found.mode,
        fpi=found.fpi,
        threshold=found.threshold,
        laterality=found.laterality or None,
        view=found.view or None,
        source=source_images.read_source(found.source),
    )
