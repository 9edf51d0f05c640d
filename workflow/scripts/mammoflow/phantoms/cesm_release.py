"""Writes digital phantoms in the layout of CDD-CESM: JPEG pictures, a table of findings and one of outlines.

References
----------
.. [1] Khaled et al., "Categorized contrast enhanced mammography dataset for diagnostic and artificial
   intelligence research", Scientific Data 9:122 (2022), doi:10.7937/29kw-ae92.
"""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mammoflow.phantoms import anatomy, instances, patients
from mammoflow.phantoms.instances import Folder
from mammoflow.phantoms.patients import Exposure, Patient, Settings

ARCHIVE = "cdd-cesm"

# Low-energy images, which look like usual mammograms, and subtracted ones, which show the contrast agent.
LOW_ENERGY, SUBTRACTED = "DM", "CM"
FOLDERS = {LOW_ENERGY: "Low energy images of CDD-CESM", SUBTRACTED: "Subtracted images of CDD-CESM"}
# The first table is the sheet `all` of the release's workbook.
FINDINGS, OUTLINES = "Radiology-manual-annotations.csv", "Radiology_hand_drawn_segmentations_v2.csv"
OF_IMAGE = (
    "Image_name",
    "Patient_ID",
    "Side",
    "Type",
    "Age",
    "View",
    "Breast density (ACR)",
    "BIRADS",
    "Findings",
    "Tags",
    "Machine",
    "Pathology Classification/ Follow up",
)
OF_OUTLINE = (
    "#filename",
    "file_size",
    "file_attributes",
    "region_count",
    "region_id",
    "region_shape_attributes",
    "region_attributes",
)
# Shapes with which the masses of an image are outlined; images take turns.
SHAPES = ("polygon", "ellipse", "polygon", "circle", "polygon", "polyline")
# Images that a loader must exclude: findings, and the shape of their outline. The first one has no row in
# the table of findings, the second one no picture.
ODDITIES = (
    ("", ""),
    ("Mass", "circle"),
    ("Calcifications", "circle"),
    ("Mass$Calcifications", "circle"),
    ("Mass", "point"),
)
# Fraction of the patients whose image names end in a blank in the table of findings.
BLANK_SHARE = 0.05

_NORMAL = "Normal"
_OF_MASSES = {LOW_ENERGY: "Mass", SUBTRACTED: "Mass enhancement"}
_TYPES = {LOW_ENERGY: "DM", SUBTRACTED: "CESM"}
_BIRADS = {_NORMAL: 1, "Benign": 3, "Malignant": 5}
# Grey values of a subtracted image.
_TISSUE, _CONTRAST_AGENT = 110, 180


def write_patient(settings: Settings, seed: int, patient: Patient, folder: Folder) -> dict[str, list[list]]:
    """Write the low-energy and the subtracted images of one patient; see `cohorts.Writer`."""
    age = int(patients.generator(settings, seed, patient.index, "reading").integers(30, 80))
    rows = {name: [] for name in HEADERS}
    for position, exposure in enumerate(patient.exposures):
        shape = SHAPES[(patient.index + position) % len(SHAPES)]
        outlines = _outlines(settings, exposure, shape)
        low_energy = _in_8_bits(patients.expose(settings, seed, patient, exposure))
        pictures = {LOW_ENERGY: low_energy, SUBTRACTED: _subtracted(settings, exposure)}
        for kind, pixels in pictures.items():
            name = _name(patient, exposure, kind)
            size = _write_picture(pixels, name, kind, folder)
            findings = _OF_MASSES[kind] if outlines else _NORMAL
            rows[FINDINGS].append(_row(patient, exposure, kind, age, findings))
            rows[OUTLINES] += _outline_rows(name, size, outlines)
    return rows


def write_oddities(settings: Settings, seed: int, folder: Folder) -> dict[str, list[list]]:
    """Write what a loader must exclude, see `ODDITIES`, and leftovers; see `cohorts.Writer`."""
    odd = patients.draw(settings, seed, patients.ODD)
    pixels = _in_8_bits(patients.expose(settings, seed, odd, odd.exposures[0]))
    rows = {name: [] for name in HEADERS}
    for number, (findings, shape) in enumerate(ODDITIES):
        exposure = replace(odd.exposures[0], study=number)
        name = _name(odd, exposure, LOW_ENERGY)
        has_row, has_picture = number != 0, number != 1
        size = _write_picture(pixels, name, LOW_ENERGY, folder) if has_picture else -1
        if has_row:
            rows[FINDINGS].append(_row(odd, exposure, LOW_ENERGY, 50, findings))
            rows[OUTLINES] += _outline_rows(name, size, [_in_the_middle(settings, shape)])
    folder.write_leftovers(_path(_name(odd, odd.exposures[0], LOW_ENERGY), LOW_ENERGY))
    return rows


def _name(patient: Patient, exposure: Exposure, kind: str) -> str:
    """Name of an image; a further one of the same view has a number at its end."""
    again = exposure.study + 1 if exposure.study else ""
    return f"P{patient.index + 1}_{exposure.breast.side}_{kind}_{exposure.view}{again}"


def _path(name: str, kind: str) -> str:
    return f"{FOLDERS[kind]}/{name}.jpg"


def _in_8_bits(pixels: np.ndarray) -> np.ndarray:
    """Grey values of 12 bits in 8."""
    return (pixels >> 4).astype(np.uint8)


def _masks(settings: Settings, exposure: Exposure) -> list[np.ndarray]:
    """Pixels of each mass in an image."""
    side, view = exposure.breast.side, exposure.breast.views[exposure.view]
    return [anatomy.mass_mask(contour, side, settings.detector) for contour in view.contours]


def _subtracted(settings: Settings, exposure: Exposure) -> np.ndarray:
    """Image of the contrast agent, which is in the masses only."""
    side, view = exposure.breast.side, exposure.breast.views[exposure.view]
    pixels = np.where(anatomy.breast_mask(view, side, settings.detector), _TISSUE, 0).astype(np.uint8)
    for mask in _masks(settings, exposure):
        pixels[mask] = _CONTRAST_AGENT
    return pixels


def _write_picture(pixels: np.ndarray, name: str, kind: str, folder: Folder) -> int:
    """Write one picture and return its size in bytes."""
    content = instances.jpeg(pixels)
    folder.write(content, _path(name, kind))
    return len(content)


def _outlines(settings: Settings, exposure: Exposure, shape: str) -> list[dict[str, Any]]:
    """Masses of an image as shapes of the VGG Image Annotator: x before y, pixel centres at integers."""
    side, view = exposure.breast.side, exposure.breast.views[exposure.view]
    if shape in ("polygon", "polyline"):
        corners = [anatomy.pixel_contour(contour, side, settings.detector) for contour in view.contours]
        return [_with_corners(shape, np.rint(each).astype(int)) for each in corners]
    of_pixels = {"circle": _circle, "ellipse": _ellipse}[shape]
    return [of_pixels(*np.nonzero(mask)) for mask in _masks(settings, exposure)]


def _with_corners(shape: str, corners: np.ndarray) -> dict[str, Any]:
    y, x = corners.T.tolist()
    return {"name": shape, "all_points_x": x, "all_points_y": y}


def _circle(rows: np.ndarray, columns: np.ndarray) -> dict[str, Any]:
    """Circle with the area and the centre of some pixels."""
    r = float(np.sqrt(len(rows) / np.pi))
    return {"name": "circle", "cx": round(columns.mean()), "cy": round(rows.mean()), "r": round(r, 3)}


def _ellipse(rows: np.ndarray, columns: np.ndarray) -> dict[str, Any]:
    """Ellipse with the centre and the second moments of some pixels."""
    variances, directions = np.linalg.eigh(np.cov([columns, rows]))
    # Of a filled ellipse, half an axis is twice the standard deviation along it.
    ry, rx = (round(float(half), 3) for half in 2 * np.sqrt(variances))
    across, down = directions[:, 1]
    theta = round(float(np.arctan2(down, across)), 3)
    centre = {"cx": round(columns.mean()), "cy": round(rows.mean())}
    return {"name": "ellipse", **centre, "rx": rx, "ry": ry, "theta": theta}


def _in_the_middle(settings: Settings, shape: str) -> dict[str, Any]:
    """Point or circle in the middle of an image."""
    point = {"name": shape, "cx": settings.detector.columns // 2, "cy": settings.detector.rows // 2}
    return point | ({"r": settings.detector.columns // 20} if shape == "circle" else {})


def _row(patient: Patient, exposure: Exposure, kind: str, age: int, findings: str) -> list:
    """Row of `FINDINGS`."""
    breast, pathology = exposure.breast, _pathology(exposure, findings)
    blank = " " if patients.share(patient.index, BLANK_SHARE, start=0.99) else ""
    return [
        _name(patient, exposure, kind) + blank,
        patient.index + 1,
        breast.side,
        _TYPES[kind],
        age,
        exposure.view,
        "ABCD"[breast.density - 1],
        _BIRADS[pathology],
        findings,
        "",
        1,
        pathology,
    ]


def _pathology(exposure: Exposure, findings: str) -> str:
    """Spiculated masses are malignant."""
    if findings == _NORMAL:
        return _NORMAL
    return "Malignant" if any(mass.kind == "spiculated" for mass in exposure.breast.masses) else "Benign"


def _outline_rows(name: str, size: int, outlines: Sequence[dict[str, Any]]) -> list[list]:
    """Rows of `OUTLINES` for one picture."""
    return [
        [f"{name}.jpg", size, "{}", len(outlines), number, json.dumps(outline), "{}"]
        for number, outline in enumerate(outlines)
    ]


def table(rows: Iterable[list]) -> str:
    """The tables as text: commas, LF, quotes where needed."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


HEADERS = {FINDINGS: table([OF_IMAGE]), OUTLINES: table([OF_OUTLINE])}
