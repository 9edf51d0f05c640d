"""Takes from the header of a mammogram what DICOM objects about it repeat: patient, study, references."""

import re
from copy import deepcopy
from datetime import datetime
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import UID
from pydicom.valuerep import PersonName

from mammoflow.dicom import headers

IDENTIFIERS = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")

# Attributes of type 2 are written even where the image lacks them (PS3.3 C.7.1.1, C.7.2.1).
_REQUIRED = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
    "StudyID",
    "AccessionNumber",
)
_OPTIONAL = (
    "IssuerOfPatientID",
    "PatientAge",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "StudyDescription",
)
_DIRECTION = re.compile("[LRAPHF]{1,3}")

# How a viewer turns stored values into grey.
_GREY_SCALE = (
    "RescaleIntercept",
    "RescaleSlope",
    "RescaleType",
    "ModalityLUTSequence",
    "WindowCenter",
    "WindowWidth",
    "VOILUTFunction",
    "VOILUTSequence",
)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")

KEYWORDS = (
    *IDENTIFIERS,
    *_REQUIRED,
    *_OPTIONAL,
    *_GREY_SCALE,
    "PhotometricInterpretation",
    "Modality",
    "Rows",
    "Columns",
    "PatientOrientation",
    "ContentDate",
    "ContentTime",
    "PixelSpacing",
    "ImagerPixelSpacing",
)


def read_source(path: Path) -> Dataset:
    """Read the elements of a mammogram that DICOM objects about it repeat, the patient's among them.

    Parameters
    ----------
    path : Path
        A DICOM file that `headers.gate` accepts.

    Returns
    -------
    pydicom.dataset.Dataset
        Without pixels.

    Raises
    ------
    Excluded
        As `headers.read_header`.
    ValueError
        As `check`.
    """
    source = headers.read_elements(path, KEYWORDS)
    check(source)
    return source


def check(source: Dataset) -> None:
    """Refuse a header to which DICOM objects cannot refer.

    Identifiers that break a rule of PS3.5 section 9.1 other than length and characters, for example by a
    leading zero, are kept as they are: a mended identifier would refer to nothing.

    Raises
    ------
    ValueError
        When one of `IDENTIFIERS` is missing or no UID, or the SOP class is private. The message has no value
        of the header.
    """
    for keyword in IDENTIFIERS:
        uid = str(headers.value(source, keyword, ""))
        if not uid or len(uid) > 64 or not set(uid) <= set("0123456789."):
            fault = "none" if not uid else "one that is no UID"
            raise ValueError(f"expected an image with {keyword}, got {fault}")
    if UID(source.SOPClassUID).type != "SOP Class":
        raise ValueError("expected an image of a SOP class of the standard, got a private one")


def stand_in(source: Dataset) -> Dataset:
    """What highdicom reads of a source image, without the patient; `inherit` adds the patient.

    Returns
    -------
    pydicom.dataset.Dataset
        Identifiers and size. Pixels, grey scale, frame of reference and pixel spacing are left out.
    """
    image = Dataset()
    for keyword in _REQUIRED:
        setattr(image, keyword, None)
    for keyword in IDENTIFIERS:
        setattr(image, keyword, headers.value(source, keyword))
    image.Modality = "MG"
    image.SamplesPerPixel = 1
    image.PhotometricInterpretation = headers.photometric(source)
    image.Rows, image.Columns = headers.image_shape(source)
    return image


def modality_transform(source: Dataset) -> dict[str, object]:
    """Elements of an image that give the stored values a meaning (PS3.3 C.11.1), by keyword.

    An incomplete or invalid transform is left out.
    """
    slopes, intercepts = _numbers(source, "RescaleSlope"), _numbers(source, "RescaleIntercept")
    if len(slopes) == len(intercepts) == 1 and slopes[0]:
        return {
            "RescaleSlope": headers.value(source, "RescaleSlope"),
            "RescaleIntercept": headers.value(source, "RescaleIntercept"),
            "RescaleType": headers.value(source, "RescaleType", "US"),
        }
    return _tables(source, "ModalityLUTSequence")


def windows(source: Dataset) -> dict[str, object]:
    """Elements of an image that choose the values to be seen (PS3.3 C.11.2), by keyword.

    Incomplete or invalid ones are left out, as a window without width or with a decimal comma.
    """
    widths, centres = _numbers(source, "WindowWidth"), _numbers(source, "WindowCenter")
    elements = _tables(source, "VOILUTSequence")
    if widths and len(widths) == len(centres) and min(widths) > 0:
        elements |= {keyword: headers.value(source, keyword) for keyword in ("WindowWidth", "WindowCenter")}
        if (function := headers.value(source, "VOILUTFunction")) in _FUNCTIONS:
            elements["VOILUTFunction"] = function
    return elements


def _tables(source: Dataset, keyword: str) -> dict[str, object]:
    """Look-up tables of a sequence, if it has any and all are complete."""
    tables = headers.value(source, keyword) or []
    complete = all("LUTDescriptor" in table and "LUTData" in table for table in tables)
    return {keyword: deepcopy(tables)} if tables and complete else {}


def _numbers(source: Dataset, keyword: str) -> list[float]:
    """Values of an element of numbers; none where one of them is no number."""
    content = headers.value(source, keyword, [])
    texts = [str(each) for each in (content if isinstance(content, (list, MultiValue)) else [content])]
    return [float(text) for text in texts] if all(map(_NUMBER.fullmatch, texts)) else []


def inherit(document: Dataset, source: Dataset, made: datetime) -> Dataset:
    """Give a document the patient and study of its source, in UTF-8, and the time at which it was made.

    Invalid values are kept as they are; `headers` has switched off pydicom's checks, which would print them.

    Parameters
    ----------
    document : pydicom.dataset.Dataset
        Changed in place, and returned.
    source : pydicom.dataset.Dataset
        The result of `read_source`.
    made : datetime
        Local time.
    """
    document.SpecificCharacterSet = "ISO_IR 192"
    for keyword in (*_REQUIRED, *_OPTIONAL):
        content = headers.value(source, keyword)
        if isinstance(content, PersonName):
            content = str(content)  # text, without the bytes of the image's character set
        if content is not None or keyword in _REQUIRED:
            setattr(document, keyword, content)
    document.StudyInstanceUID = source.StudyInstanceUID
    document.InstanceCreationDate, document.InstanceCreationTime = date_and_time(made)
    return document


def orientation(source: Dataset) -> list[str]:
    """Directions of rows and columns in the patient (PS3.3 C.7.6.1.1.1); none where the image gives others.

    Scanned films have the view in this element, as ``CC``.
    """
    content = headers.value(source, "PatientOrientation", [])
    directions = [content] if isinstance(content, str) else [str(each) for each in content]
    valid = len(directions) == 2 and all(_DIRECTION.fullmatch(each) for each in directions)
    return directions if valid else []


def date_and_time(made: datetime) -> tuple[str, str]:
    """Date and time as DICOM writes them: ``YYYYMMDD``, ``HHMMSS``.

    Examples
    --------
    >>> date_and_time(datetime(2019, 5, 4, 3, 2, 1))
    ('20190504', '030201')
    """
    return made.strftime("%Y%m%d"), made.strftime("%H%M%S")
