"""Writes digital phantoms as one's own annotated images: PNG of 16 bits, COCO JSON and a table of images."""

import io
import json
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from mammoflow.phantoms import anatomy, instances, patients
from mammoflow.phantoms.instances import Folder
from mammoflow.phantoms.patients import Exposure, Patient, Settings

ARCHIVE = "annotated"

IMAGES, ANNOTATIONS, TABLE = "mammograms", "annotations.json", "images.csv"
COLUMNS = ("image", "patient", "laterality", "view", "spacing_mm", "split")
CATEGORIES = {"mass": 1, "calcification": 2}

# Fractions of the patients; the others are of the training part.
TEST_SHARE, VALIDATION_SHARE = 0.25, 0.25
# Fraction of the images with calcifications.
CALCIFIED_SHARE = 0.15

_IMAGES_PER_PATIENT = 16


def write_patient(settings: Settings, seed: int, patient: Patient, folder: Folder) -> dict[str, list[list]]:
    """Write the images of one patient; see `cohorts.Writer`."""
    for position in range(len(patient.exposures)):
        _write_image(settings, seed, patient, position, folder)
    return {TABLE: [_row(settings, patient, position) for position in range(len(patient.exposures))]}


def write_oddities(settings: Settings, seed: int, folder: Folder) -> dict[str, list[list]]:
    """Write the annotations of the cohort, and what a loader must exclude.

    That is an image that is not listed, a listed one that is missing, and leftovers. See `cohorts.Writer`.
    """
    odd = patients.draw(settings, seed, patients.ODD)
    unlisted, missing = 0, 1
    folder.write_leftovers(_write_image(settings, seed, odd, unlisted, folder))
    cohort = (patients.draw(settings, seed, index) for index in range(settings.patients))
    folder.write(_coco(settings, seed, cohort, _image(settings, odd, missing)), ANNOTATIONS)
    return {TABLE: [_row(settings, odd, missing)]}


def _write_image(settings: Settings, seed: int, patient: Patient, position: int, folder: Folder) -> str:
    """Write one image and return its path."""
    path = f"{IMAGES}/{_name(patient, position)}"
    pixels = patients.expose(settings, seed, patient, patient.exposures[position])
    marked = PngInfo()
    marked.add_text(instances.SOFTWARE, instances.WRITER)
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG", pnginfo=marked)
    folder.write(content.getvalue(), path)
    return path


def _coco(settings: Settings, seed: int, cohort: Iterable[Patient], missing: dict[str, Any]) -> bytes:
    """COCO JSON of all patients, and an image that is not there."""
    images, annotations = [missing], []
    for patient in cohort:
        rng = patients.generator(settings, seed, patient.index, "annotations")
        for position, exposure in enumerate(patient.exposures):
            images.append(_image(settings, patient, position))
            for region in _regions(rng, settings, patient.index, exposure):
                annotations.append({"id": len(annotations) + 1, "image_id": images[-1]["id"], **region})
    categories = [{"id": number, "name": name} for name, number in CATEGORIES.items()]
    content = {"images": images, "annotations": annotations, "categories": categories}
    return (json.dumps(content, indent=1) + "\n").encode()


def _image(settings: Settings, patient: Patient, position: int) -> dict[str, Any]:
    """Entry of COCO's images."""
    return {
        "id": _IMAGES_PER_PATIENT * patient.index + position,
        "file_name": _name(patient, position),
        "height": settings.detector.rows,
        "width": settings.detector.columns,
    }


def _regions(
    rng: np.random.Generator, settings: Settings, index: int, exposure: Exposure
) -> Iterator[dict[str, Any]]:
    """Masses, every other patient's only as boxes, and calcifications as boxes."""
    breast, view = exposure.breast, exposure.breast.views[exposure.view]
    for contour in view.contours:
        outline = anatomy.pixel_contour(contour, breast.side, settings.detector)[:, ::-1] + 0.5
        outline = outline.round(2)
        mass = {"category_id": CATEGORIES["mass"], "bbox": _bbox(outline), "iscrowd": 0}
        yield mass | ({} if index % 2 else {"segmentation": [outline.ravel().tolist()]})
    if rng.random() < CALCIFIED_SHARE:
        inside = np.argwhere(anatomy.breast_mask(view, breast.side, settings.detector)[::16, ::16]) * 16
        corner = rng.choice(inside)[::-1]
        size = 0.02 * settings.detector.columns
        cluster = np.array([corner, corner + size])
        yield {"category_id": CATEGORIES["calcification"], "bbox": _bbox(cluster), "iscrowd": 0}


def _bbox(outline: np.ndarray) -> list[float]:
    """Box of points (x, y) as ``[x, y, width, height]``."""
    return [round(float(number), 2) for number in (*outline.min(axis=0), *np.ptp(outline, axis=0))]


def _row(settings: Settings, patient: Patient, position: int) -> list:
    """Row of `TABLE`."""
    exposure, spacing_mm = patient.exposures[position], settings.detector.pixel_mm
    name, side = _name(patient, position), exposure.breast.side
    return [name, patient.code, side, exposure.view, spacing_mm, _split(patient.index)]


def _split(index: int) -> str:
    if patients.share(index, TEST_SHARE):
        return "test"
    return "validation" if patients.share(index, VALIDATION_SHARE, start=0.25) else "train"


def _name(patient: Patient, position: int) -> str:
    exposure = patient.exposures[position]
    return f"{patient.code}_{position}_{exposure.breast.side}_{exposure.view}.png"


def table(rows: Iterable[list]) -> str:
    """The table as text."""
    return "".join(",".join(map(str, row)) + "\n" for row in rows)


HEADERS = {TABLE: table([COLUMNS])}
