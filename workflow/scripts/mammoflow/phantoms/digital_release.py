"""Writes digital phantoms in the layout of INbreast: DICOM files, OsiriX annotations and one table.

References
----------
.. [1] I. C. Moreira et al., "INbreast: toward a full-field digital mammographic database", Academic Radiology
   19(2), 236-248 (2012).
"""

import plistlib
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import DigitalMammographyXRayImageStorageForPresentation, ExplicitVRLittleEndian

from mammoflow.phantoms import anatomy, instances, patients
from mammoflow.phantoms.instances import Folder
from mammoflow.phantoms.patients import Exposure, Patient, Settings

ARCHIVE = "inbreast"

IMAGES, ANNOTATIONS, TABLE = "AllDICOMs", "AllXML", "INbreast.csv"
COLUMNS = (
    "Patient ID",
    "Patient age",
    "Laterality",
    "View",
    "Acquisition date",
    "File Name",
    "ACR",
    "Bi-Rads",
)

# Fraction of the patients with one image taken from below.
FROM_BELOW_SHARE = 0.01

_FIRST_ID, _IDS_PER_PATIENT = 20_000_000, 16
_FILE_VIEWS = {"CC": "CC", "MLO": "ML", "FB": "FB"}
_BIRADS = {"lobulated": ("2", "3", "4a"), "spiculated": ("4c", "5", "6"), "faint": ("3", "4a", "4b", "5")}
_POLYGON, _POINT = 15, 19


def write_patient(settings: Settings, seed: int, patient: Patient, folder: Folder) -> dict[str, list[list]]:
    """Write the images and annotations of one patient; see `cohorts.Writer`."""
    rng = patients.generator(settings, seed, patient.index, "reading")
    month = int(rng.integers(0, 24))
    readings: dict[tuple[str, int], str] = {}
    rows = []
    from_below = patients.share(patient.index, FROM_BELOW_SHARE, start=0.98)
    for position, exposure in enumerate(patient.exposures):
        breast = exposure.breast
        pixels = patients.expose(settings, seed, patient, exposure)
        named = replace(exposure, view="FB") if from_below and position == 0 else exposure
        _write_image(settings, seed, patient, position, named, pixels, folder)
        reading = readings.setdefault((breast.side, exposure.study), _reading(rng, breast.masses))
        if reading != "1":
            regions = _regions(rng, settings, exposure, pixels)
            folder.write(_plist(regions), f"{ANNOTATIONS}/{_id(patient, position)}.xml")
        years, months = divmod(month + 14 * exposure.study, 12)
        density = " " * 40 if rng.random() < 0.01 else breast.density
        date = f"{2008 + years}{months + 1:02d}"
        rows.append(_row(patient, position, named, date, density, reading))
    return {TABLE: rows}


def write_oddities(settings: Settings, seed: int, folder: Folder) -> dict[str, list[list]]:
    """Write files that a loader must exclude: an image and an annotation without partner, and leftovers.

    See `cohorts.Writer`.
    """
    patient = patients.draw(settings, seed, patients.ODD)
    rng = patients.generator(settings, seed, patient.index, "reading")
    present, absent = patient.exposures[:2]
    pixels = patients.expose(settings, seed, patient, present)
    path = _write_image(settings, seed, patient, 0, present, pixels, folder)
    folder.write(_plist(_regions(rng, settings, absent, pixels)), f"{ANNOTATIONS}/{_id(patient, 1)}.xml")
    folder.write_leftovers(path)
    return {
        TABLE: [
            _row(patient, position, exposure, "200801", 2, "4a")
            for position, exposure in enumerate((present, absent))
        ]
    }


def _row(
    patient: Patient, position: int, exposure: Exposure, date: str, density: int | str, reading: str
) -> list:
    """Row of `TABLE`."""
    side, number = exposure.breast.side, _id(patient, position)
    return ["removed", "removed", side, exposure.view, date, number, density, reading]


def _id(patient: Patient, position: int) -> int:
    return _FIRST_ID + _IDS_PER_PATIENT * patient.index + position


def _write_image(
    settings: Settings,
    seed: int,
    patient: Patient,
    position: int,
    exposure: Exposure,
    pixels: np.ndarray,
    folder: Folder,
) -> str:
    """Write one image and return its path."""
    number, side, view = _id(patient, position), exposure.breast.side, _FILE_VIEWS[exposure.view]
    path = f"{IMAGES}/{number}_{patient.code}_MG_{side}_{view}_ANON.dcm"
    dataset = header(settings, seed, patient, exposure, number)
    folder.write_dicom(instances.with_pixels(dataset, pixels, bits=12), path, ExplicitVRLittleEndian)
    return path


def _reading(rng: np.random.Generator, masses: tuple[anatomy.Mass, ...]) -> str:
    """BI-RADS assessment of a breast; 1 means no finding, and such images have no XML file."""
    if masses:
        return str(rng.choice(_BIRADS[masses[0].kind]))
    return "1" if rng.random() < 0.3 else "2"


def header(settings: Settings, seed: int, patient: Patient, exposure: Exposure, number: int | str) -> Dataset:
    """Header of an image, without the elements of its pixels; the number identifies it."""
    spacing = [settings.detector.pixel_mm] * 2
    dataset = Dataset()
    dataset.SOPClassUID = DigitalMammographyXRayImageStorageForPresentation
    dataset.SOPInstanceUID = instances.uid(seed, patient.code, number)
    dataset.StudyDate = dataset.AccessionNumber = dataset.StudyID = ""
    dataset.Modality = "MG"
    dataset.PresentationIntentType = "FOR PRESENTATION"
    dataset.Manufacturer = "mammoflow phantoms"
    dataset.PatientName = dataset.PatientID = "removed"
    dataset.PatientBirthDate = dataset.PatientSex = ""
    dataset.BodyPartExamined = "BREAST"
    dataset.ImagerPixelSpacing = dataset.PixelSpacing = spacing
    dataset.ViewPosition = exposure.view
    dataset.StudyInstanceUID = instances.uid(seed, patient.code, "study", exposure.study)
    dataset.SeriesInstanceUID = instances.uid(seed, patient.code, "series", number)
    dataset.SeriesNumber = dataset.InstanceNumber = 1
    dataset.ImageLaterality = exposure.breast.side
    dataset.WindowCenter, dataset.WindowWidth = 2048, 4096
    return dataset


def _regions(
    rng: np.random.Generator, settings: Settings, exposure: Exposure, pixels: np.ndarray
) -> list[dict]:
    """Masses as polygons, and a few calcifications as points."""
    breast, view = exposure.breast, exposure.breast.views[exposure.view]
    outlines = [anatomy.pixel_contour(contour, breast.side, settings.detector) for contour in view.contours]
    regions = [("Mass", _POLYGON, outline) for outline in outlines]
    inside = np.argwhere(pixels[::16, ::16] > 0) * 16
    if rng.random() < 0.6:
        points = rng.choice(inside, size=rng.integers(1, 6))
        regions += [("Calcification", _POINT, point[None].astype(float)) for point in points]
    if rng.random() < 0.08:
        regions.append(("Cluster", _POLYGON, rng.choice(inside) + _square(settings)))
    return [_region(index, *region) for index, region in enumerate(regions)]


def _square(settings: Settings) -> np.ndarray:
    return np.array([(-1, -1), (-1, 1), (1, 1), (1, -1)]) * 0.01 * settings.detector.columns


def _region(index: int, name: str, kind: int, points: np.ndarray) -> dict:
    """A region of interest in OsiriX's export format, x before y."""
    nowhere = "(0.000000, 0.000000, 0.000000)"
    return {
        "Area": anatomy.area_of(points) / 1e4,
        "Center": nowhere,
        "Dev": 0.0,
        "IndexInImage": index,
        "Max": 0.0,
        "Mean": 0.0,
        "Min": 0.0,
        "Name": name,
        "NumberOfPoints": len(points),
        "Point_mm": [nowhere] * len(points),
        "Point_px": [f"({x:.6f}, {y:.6f})" for y, x in points],
        "Total": 0.0,
        "Type": kind,
    }


def _plist(regions: list[dict]) -> bytes:
    images = [{"ImageIndex": 0, "NumberOfROIs": len(regions), "ROIs": regions}]
    return plistlib.dumps({"Images": images}, fmt=plistlib.FMT_XML)


def table(rows: Iterable[list]) -> str:
    """The table as text in the release's format: semicolons, CRLF, no quotes."""
    return "".join(";".join(map(str, row)) + "\r\n" for row in rows)


HEADERS = {TABLE: table([COLUMNS])}
