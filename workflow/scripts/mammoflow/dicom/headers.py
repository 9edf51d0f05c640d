"""Reads DICOM headers of mammograms: decides which files are used, and finds the pixel spacing."""

import io
import re
import struct
from pathlib import Path

import pydicom
from pydicom import errors, uid
from pydicom.dataset import Dataset

from mammoflow.base.exclusions import Excluded
from mammoflow.dicom import decoding, pixeldata

# Values are checked here, where they are used. The checks of pydicom would print them, and a
# value can be a patient's name.
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE

MAX_PIXELS = 80_000_000
MAX_MAGNIFICATION = 1.3
# Plausible pixel spacings of a mammogram in mm; a value of 70, for example, is in micrometres.
SPACING_MM = (0.01, 1.0)
MAX_HEADER_BYTES = 2**24

NATIVE = (uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian)
SYNTAXES = (*NATIVE, *decoding.PLUGINS)

# Allow-list: no other elements are ever read, so no name, birth date or accession number.
IDENTITY = ("SOPInstanceUID", "SeriesInstanceUID", "PatientID")
HEADER = (
    *IDENTITY,
    "SOPClassUID",
    "Modality",
    "PresentationIntentType",
    "BreastImplantPresent",
    "PartialView",
    "ViewModifierCodeSequence",
    "ViewCodeSequence",
    "ViewPosition",
    "ImageLaterality",
    "Laterality",
    "CodeValue",
    "CodeMeaning",
    "EstimatedRadiographicMagnificationFactor",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PresentationLUTShape",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelSpacing",
    "ImagerPixelSpacing",
)
PIXEL_HEADER = (
    *HEADER,
    "RescaleIntercept",
    "RescaleSlope",
    "RescaleType",
    "ModalityLUTSequence",
    "LUTDescriptor",
    "LUTData",
    "ModalityLUTType",
)

# Exceptions that pydicom raises for damaged objects. Their messages can contain values of the header and
# are therefore not passed on (``from None``).
DAMAGE = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    errors.BytesLengthException,
    errors.InvalidDicomError,
)

_SOP_CLASSES = {
    uid.MediaStorageDirectoryStorage: "dicomdir",
    uid.BreastTomosynthesisImageStorage: "tomosynthesis",
    uid.DigitalMammographyXRayImageStorageForProcessing: "for-processing",
}
_VIEW_MODIFIERS = {  # PS3.16 CID 4015, in SNOMED CT and in the older SNOMED RT codes
    "399163009": "magnification",
    "R-102D6": "magnification",
    "399055006": "spot-compression",
    "R-102D7": "spot-compression",
}


def is_dicom(path: Path) -> bool:
    """Whether a file has the DICOM prefix (PS3.10 section 7.1)."""
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


class _Header(io.BufferedReader):
    """A file that refuses to read more than a header may contain; pixels are skipped, not read."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))
        self._left = MAX_HEADER_BYTES

    def read(self, size: int = -1) -> bytes:
        if size < 0:  # pydicom reads the rest of a file only to decompress it
            raise Excluded("deflated")
        self._left -= size
        if self._left < 0:
            raise Excluded("unreadable", f"expected a header of at most {MAX_HEADER_BYTES} bytes")
        return super().read(size)


def read_header(path: Path) -> Dataset:
    """Read the allow-listed elements of a DICOM file, without its pixels.

    Parameters
    ----------
    path : Path
        The file. It is not read with ``force``, which would accept any text as a data set.

    Returns
    -------
    pydicom.dataset.Dataset
        With ``file_meta``, and ``pixels``: the location of the pixel data (`pixeldata.PixelData`), or None.

    Raises
    ------
    Excluded
        ``not-dicom``, ``deflated`` (such files are not supported) or ``unreadable``.
    """
    return read_elements(path, HEADER)


def read_elements(path: Path, keywords: tuple[str, ...]) -> Dataset:
    """Read elements of a header by keyword, and the transfer syntax, without pixels."""
    try:
        if not is_dicom(path):
            raise Excluded("not-dicom")
        with _Header(path) as file:
            header = pydicom.dcmread(file, specific_tags=list(keywords), stop_before_pixels=True)
            header.pixels = pixeldata.locate(file, *header.original_encoding)
    except DAMAGE as error:
        raise Excluded("unreadable", f"pydicom stopped with {type(error).__name__}") from None
    return header


def transfer_syntax(meta: Dataset) -> str:
    """Transfer syntax UID of a file; empty if its meta header does not name one."""
    return str(value(meta, "TransferSyntaxUID", ""))


def value(header: Dataset, keyword: str, default: object = None) -> object:
    """Value of an element; the default if it is absent or empty.

    Raises
    ------
    Excluded
        ``unreadable`` when the element is present but its value cannot be read.
    """
    try:
        content = header.get(keyword, None)
    except DAMAGE as error:
        raise Excluded("unreadable", f"{keyword} cannot be read ({type(error).__name__})") from None
    return default if content is None or content == "" else content


def gate(header: Dataset) -> str | None:
    """Reason not to use an object, judged by its header alone.

    Parameters
    ----------
    header : pydicom.dataset.Dataset
        The result of `read_header`.

    Returns
    -------
    str or None
        A key of `exclusions.REASONS`, or None for a mammogram that can be decoded.
    """
    try:
        require_usable(header)
    except Excluded as error:
        return error.reason
    return None


def require_usable(header: Dataset) -> None:
    """Raise `Excluded` for a header that `gate` rejects."""
    for gate_of in (_gate_kind, _gate_view, _gate_pixels):
        if reason := gate_of(header):
            raise Excluded(reason)
    _check_data(header)


def _gate_kind(header: Dataset) -> str | None:
    sop_class = str(value(header, "SOPClassUID") or value(header.file_meta, "MediaStorageSOPClassUID", ""))
    if sop_class in _SOP_CLASSES:
        return _SOP_CLASSES[sop_class]
    if sop_class.startswith("1.2.840.10008.5.1.4.1.1.88."):
        return "structured-report"
    if sop_class.startswith("1.2.840.10008.5.1.4.1.1.11."):
        return "presentation-state"
    if value(header, "Modality") != "MG":
        return "not-mammography"
    if value(header, "PresentationIntentType") == "FOR PROCESSING":
        return "for-processing"
    return "several-frames" if number(header, "NumberOfFrames", 1) > 1 else None


def _gate_view(header: Dataset) -> str | None:
    views = value(header, "ViewCodeSequence", []) or []
    modifiers = [*(value(header, "ViewModifierCodeSequence", []) or [])]
    for view in views:
        modifiers.extend(value(view, "ViewModifierCodeSequence", []) or [])
    for modifier in modifiers:
        code = str(value(modifier, "CodeValue", ""))
        meaning = str(value(modifier, "CodeMeaning", "")).lower()
        if code in _VIEW_MODIFIERS:
            return _VIEW_MODIFIERS[code]
        if "magnif" in meaning or "spot" in meaning:
            return "magnification" if "magnif" in meaning else "spot-compression"
    magnified = number(header, "EstimatedRadiographicMagnificationFactor", 1) > MAX_MAGNIFICATION
    return "magnification" if magnified else None


def _gate_pixels(header: Dataset) -> str | None:
    if transfer_syntax(header.file_meta) not in SYNTAXES:
        return "transfer-syntax"
    if number(header, "SamplesPerPixel", 1) != 1:
        return "several-samples"
    if value(header, "PhotometricInterpretation") not in ("MONOCHROME1", "MONOCHROME2"):
        return "not-grey"
    rows, columns = image_shape(header)
    if rows < 1 or columns < 1 or value(header, "BitsAllocated") not in (8, 16):
        return "no-pixels"
    return "too-many-pixels" if rows * columns > MAX_PIXELS else None


def _check_data(header: Dataset) -> None:
    """Check the location and length of the pixel data against the header."""
    stored_depth(header)
    pixels, needed = header.pixels, _bytes_needed(header)
    if pixels is not None and pixels.fault:
        raise Excluded(pixels.fault)
    if pixels is None or not pixels.length:
        raise Excluded("no-pixels", "no pixel data")
    if pixels.encapsulated == (transfer_syntax(header.file_meta) in NATIVE):
        raise Excluded("undecodable", "compressed pixels, and only these, lie in fragments")
    if not pixels.encapsulated and pixels.length < needed:
        raise Excluded("truncated", f"expected {needed} bytes of pixels, got {pixels.length}")
    if pixels.encapsulated and pixels.length > 2 * needed + 2**16:
        raise Excluded("undecodable", f"{pixels.length} compressed bytes for {needed} bytes of pixels")


def image_shape(header: Dataset) -> tuple[int, int]:
    """Rows and columns of the image; 0 if missing in the header."""
    return number(header, "Rows", 0, int), number(header, "Columns", 0, int)


def _bytes_needed(header: Dataset) -> int:
    return header.Rows * header.Columns * header.BitsAllocated // 8


def stored_depth(header: Dataset) -> tuple[int, int, bool]:
    """Number of stored bits of a pixel, the highest stored bit, and whether values are signed.

    Raises
    ------
    Excluded
        ``unreadable`` when they do not fit the bits allocated (PS3.5 section 8.1.1).
    """
    stored = number(header, "BitsStored", 0, int)
    high = number(header, "HighBit", stored - 1, int)
    sign = number(header, "PixelRepresentation", -1, int)
    if not 1 <= stored <= high + 1 <= header.BitsAllocated or sign not in (0, 1):
        raise Excluded("unreadable", "BitsStored, HighBit or PixelRepresentation is missing or out of range")
    return stored, high, sign == 1


def number(
    header: Dataset, keyword: str, default: float, kinds: type | tuple[type, ...] = (int, float)
) -> float:
    """A single number from a header, or the default; raises `Excluded` for any other value."""
    content = value(header, keyword, default)
    if not isinstance(content, kinds):
        raise Excluded("unreadable", f"{keyword} should be one {'whole ' if kinds is int else ''}number")
    return content


def flags(header: Dataset) -> list[str]:
    """Remarks on an object that is used in spite of them.

    Parameters
    ----------
    header : pydicom.dataset.Dataset
        The result of `read_header`, accepted by `gate`.

    Returns
    -------
    list of str
        ``implant``; ``partial-view``; ``high-bit`` (the stored bits are not the lowest);
        ``trailing-data`` (bytes after the picture: a second object, other frames, damage);
        ``polarity`` (the shape of the presentation LUT contradicts the photometric interpretation).
    """
    remarks = []
    if value(header, "BreastImplantPresent") == "YES":
        remarks.append("implant")
    if value(header, "PartialView") == "YES":
        remarks.append("partial-view")
    stored, high, _ = stored_depth(header)
    if high != stored - 1:
        remarks.append("high-bit")
    pixels, needed = header.pixels, _bytes_needed(header)
    if pixels.trailing or not (pixels.encapsulated or pixels.length <= needed + needed % 2):
        remarks.append("trailing-data")
    if value(header, "PresentationLUTShape", shape := LUT_SHAPES.get(photometric(header))) != shape:
        remarks.append("polarity")
    return remarks


_SIDES = {"L": "L", "LEFT": "L", "R": "R", "RIGHT": "R"}


def sides(header: Dataset) -> frozenset[str]:
    """Sides that a header gives: ``"L"``, ``"R"``, both where its elements differ, none where it gives none.

    Parameters
    ----------
    header : pydicom.dataset.Dataset
        As `read_header` returns it.

    Notes
    -----
    ImageLaterality is required of mammograms (PS3.3 C.8.11.7); scanned films have Laterality, which is the
    series'. Anything else there, as ``B`` for both breasts or damage, gives no side.
    """
    texts = [text for keyword in ("ImageLaterality", "Laterality") for text in _texts(header, keyword)]
    return frozenset(_SIDES[text.upper()] for text in texts if text.upper() in _SIDES)


def side(header: Dataset) -> str:
    """Side that a header gives: ``"L"`` or ``"R"``; empty where it gives none or both."""
    found = sides(header)
    return next(iter(found)) if len(found) == 1 else ""


# PS3.16 CID 4014, in SNOMED CT and in the older SNOMED RT codes, and the values of ViewPosition.
_VIEWS = {
    **dict.fromkeys(("399162004", "R-10242", "CC"), "CC"),
    **dict.fromkeys(("399368009", "R-10226", "MLO"), "MLO"),
}


def view(header: Dataset) -> str:
    """View that a header gives: ``"CC"`` or ``"MLO"``; empty where it gives none, both or another one."""
    codes = [value(item, "CodeValue", "") for item in value(header, "ViewCodeSequence", [])]
    views = {_VIEWS.get(str(code), "") for code in codes or [value(header, "ViewPosition", "")]}
    return views.pop() if len(views) == 1 else ""


# PS3.3 C.8.11.3: both must state the same polarity, so that a picture is inverted only once.
LUT_SHAPES = {"MONOCHROME1": "INVERSE", "MONOCHROME2": "IDENTITY"}


def photometric(header: Dataset) -> str:
    """Photometric interpretation: MONOCHROME1 or MONOCHROME2."""
    return str(value(header, "PhotometricInterpretation", ""))


_POSITIVE = re.compile(r"\+?\d+(\.\d*)?([eE][+-]?\d+)?")


def spacing(header: Dataset) -> tuple[float | None, str, list[str]]:
    """Pixel spacing of a projection image, and its source.

    Parameters
    ----------
    header : pydicom.dataset.Dataset
        The result of `read_header`.

    Returns
    -------
    mm : float or None
        None if the header has no usable number.
    source : str
        ``"PixelSpacing"``, ``"ImagerPixelSpacing"`` (at the detector, not in the patient) or empty.
    flags : list of str
        ``spacing-invalid`` (missing value, not a number, a decimal comma, outside `SPACING_MM`),
        ``spacing-not-square``.

    References
    ----------
    .. [1] DICOM PS3.3 10.7.1.3, Pixel spacing value order and valid values.
    """
    faults = []
    for keyword in ("PixelSpacing", "ImagerPixelSpacing"):
        texts = _texts(header, keyword)
        if not texts:
            continue
        if len(texts) != 2 or not all(_POSITIVE.fullmatch(text) for text in texts):
            faults.append("spacing-invalid")
            continue
        row, column = map(float, texts)
        if not all(SPACING_MM[0] <= side <= SPACING_MM[1] for side in (row, column)):
            faults.append("spacing-invalid")
        elif abs(row - column) > 1e-3 * row:
            faults.append("spacing-not-square")
        else:
            return row, keyword, faults
    return None, "", faults


def _texts(header: Dataset, keyword: str) -> list[str]:
    """Values of a text element as they are written, because pydicom rejects or prints invalid ones."""
    if keyword not in header:
        return []
    element = header.get_item(keyword)
    raw = element.value
    if isinstance(raw, bytes):
        raw = raw.decode("ascii", errors="replace").split("\\")
    elif isinstance(raw, (str, float, int)):
        raw = str(raw).split("\\")
    return [str(text).strip(" \0") for text in raw or []]
