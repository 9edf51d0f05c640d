"""Writes digital phantoms in the layout of VinDr-Mammo: DICOM files in a folder per study, and three tables.

References
----------
.. [1] H. T. Nguyen et al., "VinDr-Mammo: a large-scale benchmark dataset for computer-aided diagnosis in
   full-field digital mammography", Scientific Data 10, 277 (2023), doi:10.13026/br2v-7517.
"""

import csv
import hashlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless

from mammoflow.base import storage
from mammoflow.phantoms import anatomy, digital, digital_release, instances, patients
from mammoflow.phantoms.instances import Folder
from mammoflow.phantoms.patients import Exposure, Patient, Settings

ARCHIVE = "vindr-mammo"

IMAGES = "images"
BREASTS, FINDINGS, METADATA = "breast-level_annotations.csv", "finding_annotations.csv", "metadata.csv"
SUMS, LICENCE = "SHA256SUMS.txt", "LICENSE.txt"
OF_IMAGE = (
    "study_id",
    "series_id",
    "image_id",
    "laterality",
    "view_position",
    "height",
    "width",
    "breast_birads",
    "breast_density",
)
OF_FINDING = ("finding_categories", "finding_birads", "xmin", "ymin", "xmax", "ymax")
# Columns of the header dump, whose first one names the image.
OF_HEADER = {
    "Manufacturer": "Manufacturer",
    "Photometric Interpretation": "PhotometricInterpretation",
    "Rows": "Rows",
    "Columns": "Columns",
    "Bits Stored": "BitsStored",
    "Imager Pixel Spacing": "ImagerPixelSpacing",
    "Pixel Spacing": "PixelSpacing",
    "Pixel Padding Value": "PixelPaddingValue",
    "Window Center": "WindowCenter",
    "Window Width": "WindowWidth",
}

# In VinDr-Mammo, 1000 of 5000 studies are in the official test set.
TEST_SHARE = 0.2
# Fractions of the patients with what is rare, and the first of them: small cohorts have it too.
RARE = {
    "box beyond the image": (0.03, 0),
    "mass with calcifications": (0.14, 0),
    "mass without BI-RADS": (0.06, 0),
    "another finding only": (0.07, 1),
    "mixed sizes": (0.03, 1),
    "MONOCHROME1": (0.05, 2),
    "JPEG 2000": (0.05, 2),
}

# The release has boxes of findings of BI-RADS 3 and above only; here, these are all masses.
_FINDING_BIRADS, _FINDING_SHARES = ("BI-RADS 3", "BI-RADS 4", "BI-RADS 5"), (0.42, 0.47, 0.11)
_NORMAL_BIRADS, _NORMAL_SHARES = ("BI-RADS 1", "BI-RADS 2"), (0.74, 0.26)
_OTHERS = ("Suspicious Calcification", "Focal Asymmetry", "Architectural Distortion", "Skin Thickening")
_NO_FINDING = [str(["No Finding"]), "", "", "", "", ""]
_TERMS = b"Phantoms drawn by mammoflow, under its MIT licence. Only the format is that of VinDr-Mammo.\n"


@dataclass(frozen=True)
class _Breast:
    """BI-RADS of a breast and of its findings: of each mass, or of one other finding."""

    birads: str
    findings: list[str]


@dataclass(frozen=True)
class _Finding:
    """A row of `FINDINGS`; `box` is ``(xmin, ymin, xmax, ymax)`` from the outer corner of the first pixel."""

    categories: list[str]
    birads: str
    box: np.ndarray

    def moved(self, right: int) -> "_Finding":
        return replace(self, box=self.box + np.array([right, 0, right, 0]))

    def cells(self) -> list[str]:
        return [str(self.categories), self.birads, *(f"{edge:.6f}" for edge in self.box)]


def write_patient(settings: Settings, seed: int, patient: Patient, folder: Folder) -> dict[str, list[list]]:
    """Write the images of one patient as one study; a follow-up is its second series.

    See `cohorts.Writer`.
    """
    rng = patients.generator(settings, seed, patient.index, "reading")
    breasts = _breasts(rng, patient)
    cut = _nearest_to_chest_wall(settings, patient) if _has(patient, "box beyond the image") else None
    rows = {name: [] for name in HEADERS}
    for position, exposure in enumerate(patient.exposures):
        pixels = patients.expose(settings, seed, patient, exposure)
        breast = breasts[exposure.breast.side]
        findings = _findings(rng, settings, patient, exposure, breast, pixels)
        if position == cut:
            pixels, findings = _cut_at_chest_wall(pixels, findings, exposure.breast.side)
        elif position == 1 and _has(patient, "mixed sizes"):
            pixels, findings = _widened(pixels, findings, exposure.breast.side)
        path, header = _write_image(settings, seed, patient, position, pixels, folder)
        cells = [finding.cells() for finding in findings] or [_NO_FINDING]
        of_image = _of_image(seed, patient, position, pixels.shape, breast.birads)
        rows[BREASTS].append([*of_image, _part(patient)])
        rows[FINDINGS] += [[*of_image, *of_finding, _part(patient)] for of_finding in cells]
        rows[METADATA].append([of_image[2], *(header[keyword].value for keyword in OF_HEADER.values())])
        rows[SUMS].append(_sum(folder, path))
    return rows


def write_oddities(settings: Settings, seed: int, folder: Folder) -> dict[str, list[list]]:
    """Write files that a loader must exclude: an image without rows, rows without an image, and leftovers.

    See `cohorts.Writer`.
    """
    patient = patients.draw(settings, seed, patients.ODD)
    pixels = patients.expose(settings, seed, patient, patient.exposures[0])
    path, _ = _write_image(settings, seed, patient, 0, pixels, folder)
    folder.write_leftovers(path)
    folder.write(_TERMS, LICENCE)
    of_image = _of_image(seed, patient, 1, pixels.shape, _NORMAL_BIRADS[0])
    return {
        BREASTS: [[*of_image, _part(patient)]],
        FINDINGS: [[*of_image, *_NO_FINDING, _part(patient)]],
        SUMS: [_sum(folder, name) for name in (LICENCE, path)],
    }


def _has(patient: Patient, what: str) -> bool:
    """Whether a patient is one of those with something of `RARE`."""
    fraction, first = RARE[what]
    return patients.share(patient.index, fraction, start=1 - (first + 0.5) * fraction)


def _part(patient: Patient) -> str:
    return "test" if patients.share(patient.index, TEST_SHARE, start=0.31) else "training"


def _id(seed: int, *labels: str | int) -> str:
    """Identifier of 32 hexadecimal digits; the same labels always give the same one."""
    return hashlib.sha256("\0".join(map(str, (seed, ARCHIVE, *labels))).encode()).hexdigest()[:32]


def _of_image(seed: int, patient: Patient, position: int, shape: tuple[int, int], birads: str) -> list:
    """What both tables say about an image, without its part of the split."""
    exposure = patient.exposures[position]
    study = _id(seed, patient.code)
    series, image = _id(seed, study, "series", exposure.study), _id(seed, study, "image", position)
    density = f"DENSITY {'ABCD'[exposure.breast.density - 1]}"
    return [study, series, image, exposure.breast.side, exposure.view, *shape, birads, density]


def _breasts(rng: np.random.Generator, patient: Patient) -> dict[str, _Breast]:
    """BI-RADS of the breasts of a patient, by side."""
    breasts = {}
    for breast in {exposure.breast.side: exposure.breast for exposure in patient.exposures}.values():
        count = len(breast.masses) or int(_has(patient, "another finding only"))
        findings = [str(birads) for birads in rng.choice(_FINDING_BIRADS, count, p=_FINDING_SHARES)]
        normal = str(rng.choice(_NORMAL_BIRADS, p=_NORMAL_SHARES))
        breasts[breast.side] = _Breast(max(findings, default=normal), findings)
    return breasts


def _findings(
    rng: np.random.Generator,
    settings: Settings,
    patient: Patient,
    exposure: Exposure,
    breast: _Breast,
    pixels: np.ndarray,
) -> list[_Finding]:
    """Masses in an image, or the other finding of its breast, which only the first view shows."""
    if not exposure.breast.masses:
        shown = breast.findings and exposure.study == 0 and exposure.view == "CC"
        return [_other(rng, breast.findings[0], pixels)] if shown else []
    findings = [
        _Finding(["Mass"], birads, _box(settings, exposure, contour))
        for birads, contour in zip(
            breast.findings, exposure.breast.views[exposure.view].contours, strict=True
        )
    ]
    if _has(patient, "mass with calcifications"):
        findings[0] = replace(findings[0], categories=["Suspicious Calcification", "Mass"])
    if _has(patient, "mass without BI-RADS"):
        findings[-1] = replace(findings[-1], birads="")
    return findings


def _box(settings: Settings, exposure: Exposure, contour: np.ndarray) -> np.ndarray:
    """Box around a contour in mm."""
    points = anatomy.pixel_contour(contour, exposure.breast.side, settings.detector) + 0.5
    return np.concatenate([points.min(axis=0)[::-1], points.max(axis=0)[::-1]])


def _other(rng: np.random.Generator, birads: str, pixels: np.ndarray) -> _Finding:
    """A finding that is no mass, somewhere in the breast."""
    inside = np.argwhere(pixels[::16, ::16] > 0) * 16
    y, x = rng.choice(inside)
    box = np.array([x, y, x + 8, y + 8], dtype=float)
    return _Finding([str(rng.choice(_OTHERS))], birads, box)


def _nearest_to_chest_wall(settings: Settings, patient: Patient) -> int | None:
    """Position of the exposure with the mass nearest to its chest wall; None without a mass."""
    gaps = {
        position: _gap(_box(settings, exposure, contour), exposure.breast.side, settings.detector.columns)
        for position, exposure in enumerate(patient.exposures)
        for contour in exposure.breast.views[exposure.view].contours[:1]
    }
    return min(gaps, key=gaps.get, default=None)


def _gap(box: np.ndarray, side: str, columns: int) -> float:
    """Pixels between a box and the chest wall."""
    return float(box[0] if side == "L" else columns - box[2])


def _cut_at_chest_wall(
    pixels: np.ndarray, findings: Sequence[_Finding], side: str
) -> tuple[np.ndarray, list[_Finding]]:
    """Image of a breast that was placed so badly that a tenth of the width of its first mass is cut off."""
    box = findings[0].box
    shift = round(_gap(box, side, pixels.shape[1]) + 0.1 * (box[2] - box[0]))
    air = np.zeros((len(pixels), shift), pixels.dtype)
    if side == "L":
        return np.hstack([pixels[:, shift:], air]), [finding.moved(-shift) for finding in findings]
    return np.hstack([air, pixels[:, :-shift]]), [finding.moved(shift) for finding in findings]


def _widened(
    pixels: np.ndarray, findings: Sequence[_Finding], side: str
) -> tuple[np.ndarray, list[_Finding]]:
    """Image of a detector that is wider by a sixteenth, on the side away from the chest wall."""
    more = pixels.shape[1] // 16
    air = np.zeros((len(pixels), more), pixels.dtype)
    if side == "L":
        return np.hstack([pixels, air]), list(findings)
    return np.hstack([air, pixels]), [finding.moved(more) for finding in findings]


def _write_image(
    settings: Settings, seed: int, patient: Patient, position: int, pixels: np.ndarray, folder: Folder
) -> tuple[str, Dataset]:
    """Write one image; return its path and header."""
    exposure = patient.exposures[position]
    study, _, image, *_ = _of_image(seed, patient, position, pixels.shape, "")
    header = digital_release.header(settings, seed, patient, exposure, image)
    header.PatientName = header.PatientID = ""
    header.WindowCenter, header.WindowWidth = [2048, 1800], [4096, 3000]
    if position == 0 and _has(patient, "MONOCHROME1"):
        instances.with_pixels(header, digital.WHITE - pixels, bits=12)
        header.PhotometricInterpretation, header.PresentationLUTShape = "MONOCHROME1", "INVERSE"
        header.PixelPaddingValue = digital.WHITE
    elif position == 1 and _has(patient, "JPEG 2000"):
        # Pillow writes all bits that are allocated.
        instances.with_pixels(header, pixels, bits=16)
        header.PixelPaddingValue = 0
        header.PixelData = encapsulate([_jpeg_2000(pixels)])
        header["PixelData"].is_undefined_length = True
    else:
        instances.with_pixels(header, pixels, bits=12)
        header.PixelPaddingValue = 0
    header["PixelPaddingValue"].VR = "US"
    path = f"{IMAGES}/{study}/{image}.dicom"
    is_compressed = header["PixelData"].is_undefined_length
    folder.write_dicom(header, path, JPEG2000Lossless if is_compressed else ExplicitVRLittleEndian)
    return path, header


def _jpeg_2000(pixels: np.ndarray) -> bytes:
    """Codestream of an image, without loss."""
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "JPEG2000", irreversible=False, no_jp2=True)
    return content.getvalue()


def _sum(folder: Folder, path: str) -> list[str]:
    """Row of `SUMS`."""
    return [f"{storage.sha256(folder.root / path)} {path}"]


def table(rows: Iterable[list]) -> str:
    """The tables as text in the release's format: commas, LF, quotes where needed."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


HEADERS = {
    BREASTS: table([[*OF_IMAGE, "split"]]),
    FINDINGS: table([[*OF_IMAGE, *OF_FINDING, "split"]]),
    METADATA: table([["SOP Instance UID", *OF_HEADER]]),
    SUMS: "",
}
