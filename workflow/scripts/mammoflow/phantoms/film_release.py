"""Writes film phantoms in the layout of CBIS-DDSM as downloaded from The Cancer Imaging Archive.

References
----------
.. [1] R. S. Lee et al., "A curated mammography data set for use in computer-aided detection and diagnosis
   research", Scientific Data 4, 170177 (2017).
"""

import csv
import io
from collections.abc import Iterable

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import ImplicitVRLittleEndian, SecondaryCaptureImageStorage
from skimage.transform import resize

from mammoflow.base.boxes import bounding_box
from mammoflow.phantoms import anatomy, instances, patients
from mammoflow.phantoms.instances import Folder
from mammoflow.phantoms.patients import Exposure, Patient, Settings

ARCHIVE = "cbis-ddsm"

TREE = "CBIS-DDSM"
COLUMNS = (
    "patient_id",
    "breast_density",
    "left or right breast",
    "image view",
    "abnormality id",
    "abnormality type",
    "mass shape",
    "mass margins",
    "assessment",
    "pathology",
    "subtlety",
    "image file path",
    "cropped image file path",
    "ROI mask file path",
)
TABLES = {
    "Training": "mass_case_description_train_set.csv",
    "Test": "mass_case_description_test_set.csv",
}
# In CBIS-DDSM, 201 of 892 patients are in the official test set.
TEST_SHARE = 0.23
# Fractions of the mass rows: crop and mask in separate series; in one series, with the table naming the mask
# as the crop.
SEPARATE_SHARE = 103 / 1695
SWAPPED_SHARE = 587 / 1592
# Fractions of the patients: abnormalities numbered from 2; no shape given; masks with the pixel size of
# another digitiser.
FROM_TWO_SHARE, SHAPELESS_SHARE, LARGER_MASK_SHARE = 0.02, 0.01, 0.02
MASK_SCALE = 50 / 43.5

_SIDES = {"L": "LEFT", "R": "RIGHT"}
_SHAPES = {
    "lobulated": ("LOBULATED", "OVAL", "ROUND"),
    "spiculated": ("IRREGULAR", "IRREGULAR-ARCHITECTURAL_DISTORTION"),
    "faint": ("IRREGULAR", "OVAL", "FOCAL_ASYMMETRIC_DENSITY"),
}
_MARGINS = {
    "lobulated": ("CIRCUMSCRIBED", "CIRCUMSCRIBED", "MICROLOBULATED"),
    "spiculated": ("SPICULATED", "SPICULATED", "ILL_DEFINED-SPICULATED"),
    "faint": ("ILL_DEFINED", "OBSCURED"),
}
_MALIGNANT = {"lobulated": 0.2, "spiculated": 0.85, "faint": 0.45}
_DATES = ("07-20-2016", "10-04-2016", "08-29-2017")


def write_patient(settings: Settings, seed: int, patient: Patient, folder: Folder) -> dict[str, list[list]]:
    """Write the images, crops and masks of one patient; see `cohorts.Writer`."""
    part = _part(patient)
    rng = patients.generator(settings, seed, patient.index, "reading")
    descriptions = {}
    rows = []
    for exposure in patient.exposures:
        breast = exposure.breast
        if breast.side not in descriptions:
            descriptions[breast.side] = [_description(rng, mass) for mass in breast.masses]
            if patients.share(patient.index, SHAPELESS_SHARE, start=0.97):
                descriptions[breast.side] = [["", *rest] for _, *rest in descriptions[breast.side]]
        rows += _write_exposure(rng, settings, seed, patient, exposure, descriptions[breast.side], folder)
    return {TABLES[part]: rows}


def write_oddities(settings: Settings, seed: int, folder: Folder) -> dict[str, list[list]]:
    """Write files that a loader must exclude: an image with an empty mask, a calcification case, leftovers.

    See `cohorts.Writer`.
    """
    patient = patients.draw(settings, seed, patients.ODD)
    rng = patients.generator(settings, seed, patient.index, "reading")
    of_mass, of_calcification = patient.exposures[:2]
    descriptions = [_description(rng, mass) for mass in of_mass.breast.masses]
    rows = _write_exposure(rng, settings, seed, patient, of_mass, descriptions, folder, empty_masks=True)
    full = _full_series(rng, seed, patient, of_calcification, folder, kind="Calc")
    full.add(patients.expose(settings, seed, patient, of_calcification), 0)
    folder.write_leftovers(f"{full.path}/1-1.dcm")
    return {TABLES[_part(patient)]: rows}


def _part(patient: Patient) -> str:
    return "Test" if patients.share(patient.index, TEST_SHARE, start=0.31) else "Training"


def _description(rng: np.random.Generator, mass: anatomy.Mass) -> list:
    """Shape, margins, assessment, pathology and subtlety of a mass, as a radiologist would describe it."""
    malignant = rng.random() < _MALIGNANT[mass.kind]
    pathology = (
        "MALIGNANT" if malignant else rng.choice(("BENIGN", "BENIGN_WITHOUT_CALLBACK"), p=(0.85, 0.15))
    )
    assessment = rng.choice((4, 5)) if malignant else rng.choice((0, 2, 3, 4))
    margins = "" if rng.random() < 0.035 else rng.choice(_MARGINS[mass.kind])
    subtlety = int(np.clip(round(20 * mass.contrast - 1.5), 1, 5))
    return [str(rng.choice(_SHAPES[mass.kind])), str(margins), int(assessment), str(pathology), subtlety]


def _write_exposure(
    rng: np.random.Generator,
    settings: Settings,
    seed: int,
    patient: Patient,
    exposure: Exposure,
    descriptions: list[list],
    folder: Folder,
    empty_masks: bool = False,
) -> list[list]:
    breast = exposure.breast
    pixels = patients.expose(settings, seed, patient, exposure)
    full = _full_series(rng, seed, patient, exposure, folder)
    full_path = full.add(pixels, 0)
    first = 2 if patients.share(patient.index, FROM_TWO_SHARE, start=0.97) else 1
    larger = patients.share(patient.index, LARGER_MASK_SHARE, start=0.92)
    rows = []
    for index, (contour, description) in enumerate(
        zip(breast.views[exposure.view].contours, descriptions, strict=True), start=first
    ):
        mask = anatomy.mass_mask(contour, breast.side, settings.detector)
        y0, x0, y1, x1 = bounding_box(mask)
        mask = np.zeros_like(mask) if empty_masks else _enlarged(mask) if larger else mask
        crop_path, mask_path = _write_region(
            rng, folder, seed, f"{full.name}_{index}", exposure, pixels[y0:y1, x0:x1], mask
        )
        rows.append(
            [
                *(_number(patient), breast.density, _SIDES[breast.side], exposure.view, index, "mass"),
                *description,
                # In the release, the last cell ends with a newline inside its quotes.
                *(full_path, crop_path, f"{mask_path}\n"),
            ]
        )
    return rows


def _full_series(
    rng: np.random.Generator,
    seed: int,
    patient: Patient,
    exposure: Exposure,
    folder: Folder,
    kind: str = "Mass",
) -> "_Series":
    side = _SIDES[exposure.breast.side]
    name = f"{kind}-{_part(patient)}_{_number(patient)}_{side}_{exposure.view}"
    return _Series(folder, seed, name, exposure, "full mammogram images", str(rng.choice(_DATES)))


def _number(patient: Patient) -> str:
    return f"P_{patient.index + 1:05d}"


def _enlarged(mask: np.ndarray) -> np.ndarray:
    """Mask enlarged by `MASK_SCALE`; nearest-neighbour sampling restores the original."""
    return resize(mask, [round(MASK_SCALE * length) for length in mask.shape], order=0)


def _write_region(
    rng: np.random.Generator,
    folder: Folder,
    seed: int,
    name: str,
    exposure: Exposure,
    crop: np.ndarray,
    mask: np.ndarray,
) -> tuple[str, str]:
    """Write crop and mask and return their paths in the table, which are often swapped as in the release."""
    mask = np.where(mask, np.uint8(255), np.uint8(0))
    date = str(rng.choice(_DATES))
    crops, masks = (
        _Series(folder, seed, name, exposure, description, date)
        for description in ("cropped images", "ROI mask images")
    )
    if rng.random() < SEPARATE_SHARE:
        return crops.add(crop, 0), masks.add(mask, 0)
    if rng.random() < SWAPPED_SHARE:
        return crops.add(mask, 0), crops.add(crop, 1)
    return masks.add(crop, 0), masks.add(mask, 1)


class _Series:
    """A DICOM series on disk, in the folder layout of the archive's download tool.

    Parameters
    ----------
    folder : Folder
        The release's root.
    seed : int
        The study's seed; it makes identifiers differ between cohorts.
    name : str
        Name of the case: used as patient name, patient id and outer folder.
    exposure : Exposure
        Gives side and view.
    description : str
        Series description.
    date : str
        Study date, ``MM-DD-YYYY``.
    """

    def __init__(
        self, folder: Folder, seed: int, name: str, exposure: Exposure, description: str, date: str
    ) -> None:
        self.name, self.exposure, self.description, self.date = name, exposure, description, date
        self.study = instances.uid(seed, name)
        self.series = instances.uid(seed, name, description)
        self.folder = folder
        self.path = (
            f"{TREE}/{name}/{date}-DDSM-NA-{self.study[-5:]}/1.000000-{description}-{self.series[-5:]}"
        )

    def add(self, pixels: np.ndarray, index: int) -> str:
        """Write one DICOM object and return its path as the release's tables give it."""
        dataset = instances.with_pixels(self._header(index), pixels, bits=8 * pixels.itemsize)
        self.folder.write_dicom(dataset, f"{self.path}/1-{index + 1}.dcm", ImplicitVRLittleEndian)
        return f"{self.name}/{self.study}/{self.series}/{index:06d}.dcm"

    def _header(self, index: int) -> Dataset:
        month, day, year = self.date.split("-")
        dataset = Dataset()
        dataset.SpecificCharacterSet = "ISO_IR 100"
        dataset.SOPClassUID = SecondaryCaptureImageStorage
        dataset.SOPInstanceUID = instances.uid(self.series, index)
        dataset.StudyDate = dataset.ContentDate = f"{year}{month}{day}"
        dataset.StudyTime = dataset.ContentTime = "120000"
        dataset.AccessionNumber = ""
        dataset.Modality = "MG"
        dataset.ConversionType = "WSD"
        dataset.ReferringPhysicianName = ""
        dataset.SeriesDescription = self.description
        dataset.PatientName = dataset.PatientID = self.name
        dataset.PatientBirthDate = dataset.PatientSex = ""
        dataset.BodyPartExamined = "BREAST"
        dataset.SecondaryCaptureDeviceManufacturer = "mammoflow phantoms"
        dataset.StudyInstanceUID = self.study
        dataset.SeriesInstanceUID = self.series
        dataset.StudyID = "DDSM"
        dataset.SeriesNumber = 1
        dataset.InstanceNumber = index + 1
        dataset.PatientOrientation = self.exposure.view
        dataset.Laterality = self.exposure.breast.side
        return dataset


def table(rows: Iterable[list]) -> str:
    """Rows of a mass table as CSV text, without the header; only cells with a newline are quoted."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


HEADERS = {name: table([COLUMNS]) for name in TABLES.values()}
