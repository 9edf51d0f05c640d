"""Writes film phantoms in the layout of CBIS-DDSM as JPEG files, with the headers in a table."""

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import UID

from mammoflow.phantoms import film_release, instances
from mammoflow.phantoms.film_release import table
from mammoflow.phantoms.instances import Folder
from mammoflow.phantoms.patients import Patient, Settings

ARCHIVE = "cbis-ddsm-jpeg"

IMAGES, TABLES = "jpeg", "csv"
INFO, SERIES = f"{TABLES}/dicom_info.csv", f"{TABLES}/meta.csv"
OF_HEADER = (
    "BitsAllocated",
    "BitsStored",
    "BodyPartExamined",
    "Columns",
    "InstanceNumber",
    "Laterality",
    "Modality",
    "PatientID",
    "PatientOrientation",
    "PhotometricInterpretation",
    "Rows",
    "SOPInstanceUID",
    "SeriesDescription",
    "SeriesInstanceUID",
    "StudyInstanceUID",
)
OF_SERIES = ("SeriesInstanceUID", "StudyInstanceUID", "Modality", "SeriesDescription", "BodyPartExamined")


class _Pictures(Folder):
    """A folder that writes each DICOM object as a picture of 8 bits, and its header as a row of `INFO`."""

    def __init__(self, folder: Folder) -> None:
        super().__init__(folder.root)
        self._folder, self._path = folder, ""
        self.rows: dict[str, list[list]] = {INFO: [], SERIES: []}

    def write(self, content: bytes, path: str) -> None:
        """Write a file; its digest counts among those of the folder."""
        self._folder.write(content, path)

    def write_dicom(self, dataset: Dataset, path: str, syntax: UID) -> None:
        """Write the picture of an object, whose own path and syntax the release does not keep."""
        number = int(dataset.InstanceNumber)
        # The name has no relation to that in the tables of masses.
        name = f"{number}-{int(dataset.SeriesInstanceUID[-3:]) % 300:03d}"
        self._path = f"{IMAGES}/{dataset.SeriesInstanceUID}/{name}.jpg"
        self.write(_jpeg(dataset), self._path)
        paths = [f"CBIS-DDSM/dicom/{dataset.SeriesInstanceUID}/{name}.dcm", f"CBIS-DDSM/{self._path}"]
        self.rows[INFO].append([*paths, *(dataset[keyword].value for keyword in OF_HEADER)])
        if number == 1:
            self.rows[SERIES].append([dataset[keyword].value for keyword in OF_SERIES])

    def write_leftovers(self, path: str) -> None:
        """Write what a Mac leaves in the root and for the last picture."""
        super().write_leftovers(self._path)


def write_patient(settings: Settings, seed: int, patient: Patient, folder: Folder) -> dict[str, list[list]]:
    """Write the images, crops and masks of one patient; see `cohorts.Writer`."""
    pictures = _Pictures(folder)
    return _in_folder(film_release.write_patient(settings, seed, patient, pictures)) | pictures.rows


def write_oddities(settings: Settings, seed: int, folder: Folder) -> dict[str, list[list]]:
    """Write files that a loader must exclude, see `film_release.write_oddities`; see `cohorts.Writer`."""
    pictures = _Pictures(folder)
    return _in_folder(film_release.write_oddities(settings, seed, pictures)) | pictures.rows


def _in_folder(tables: dict[str, list[list]]) -> dict[str, list[list]]:
    return {f"{TABLES}/{name}": rows for name, rows in tables.items()}


def _jpeg(dataset: Dataset) -> bytes:
    """Picture of an object, in 8 bits."""
    bits = dataset.BitsAllocated
    pixels = np.frombuffer(dataset.PixelData, f"<u{bits // 8}", dataset.Rows * dataset.Columns)
    return instances.jpeg((pixels >> (bits - 8)).astype(np.uint8).reshape(dataset.Rows, dataset.Columns))


HEADERS = {
    **{f"{TABLES}/{name}": header for name, header in film_release.HEADERS.items()},
    INFO: table([["file_path", "image_path", *OF_HEADER]]),
    SERIES: table([OF_SERIES]),
}
