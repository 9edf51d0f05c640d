"""DICOM mammograms: header gate, decoding, one grey-scale policy, spacing with provenance."""

import re
import struct
from pathlib import Path

import numpy as np
import pydicom
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut, pixel_array

from mammoflow.exclusions import Excluded

# Values are checked here, where they are used. pydicom's own checks would print them, and a
# value can be a name.
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE

MAX_PIXELS = 80_000_000
MAX_MAGNIFICATION = 1.3

# One decoder per transfer syntax: after a failure pydicom would try the next, and one of those
# (libjpeg) hands over half-decoded pictures as whole. Uncompressed syntaxes need none.
DECODERS = {
    uid.ImplicitVRLittleEndian: "",
    uid.ExplicitVRLittleEndian: "",
    uid.ExplicitVRBigEndian: "",
    uid.RLELossless: "pydicom",
    uid.JPEGBaseline8Bit: "gdcm",
    uid.JPEGExtended12Bit: "gdcm",
    uid.JPEGLossless: "gdcm",
    uid.JPEGLosslessSV1: "gdcm",
    uid.JPEGLSLossless: "pyjpegls",
    uid.JPEGLSNearLossless: "pyjpegls",
    uid.JPEG2000Lossless: "gdcm",
    uid.JPEG2000: "gdcm",
}

# The allow-list of elements that are ever read: no name, birth date or accession number.
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
    "CodeValue",
    "CodeMeaning",
    "EstimatedRadiographicMagnificationFactor",
    "SamplesPerPixel",
    "PhotometricInterpretation",
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
PIXELS = (
    *HEADER,
    "PlanarConfiguration",
    "RescaleIntercept",
    "RescaleSlope",
    "RescaleType",
    "ModalityLUTSequence",
    "LUTDescriptor",
    "LUTData",
    "ModalityLUTType",
    "PixelData",
)

# What pydicom and its decoders raise on damaged objects; nothing here is a fault of ours.
_DAMAGE = (
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    OverflowError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
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


def read_header(path: Path) -> Dataset:
    """Allow-listed elements of a DICOM file, without its pixels.

    Parameters
    ----------
    path : Path
        A file; never read with ``force``, which takes any text for a data set.

    Returns
    -------
    pydicom.dataset.Dataset
        With ``file_meta``.

    Raises
    ------
    Excluded
        ``not-dicom``, ``deflated`` (decided by the meta header, before anything is inflated) or
        ``unreadable``.
    """
    return _read(path, HEADER, stop_before_pixels=True)


def _read(path: Path, keywords: tuple[str, ...], stop_before_pixels: bool) -> Dataset:
    if not is_dicom(path):
        raise Excluded("not-dicom")
    try:
        meta = pydicom.filereader.read_file_meta_info(path)
        if _transfer_syntax(meta) == uid.DeflatedExplicitVRLittleEndian:
            raise Excluded("deflated")
        return pydicom.dcmread(path, specific_tags=list(keywords), stop_before_pixels=stop_before_pixels)
    except _DAMAGE as error:
        raise Excluded("unreadable", f"pydicom stopped with {type(error).__name__}") from error


def _transfer_syntax(meta: Dataset) -> str:
    return str(value(meta, "TransferSyntaxUID", ""))


def value(header: Dataset, keyword: str, default: object = None) -> object:
    """Value of an element; the default where it is absent or empty.

    Raises
    ------
    Excluded
        ``unreadable`` when the element is there and its bytes make no value.
    """
    try:
        found = header.get(keyword, None)
    except _DAMAGE as error:
        raise Excluded("unreadable", f"{keyword} cannot be read ({type(error).__name__})") from error
    return default if found is None or found == "" else found


def gate(header: Dataset) -> str | None:
    """Reason not to decode an object, decided by its header alone.

    Parameters
    ----------
    header : pydicom.dataset.Dataset
        As `read_header` returns it.

    Returns
    -------
    str or None
        A key of `exclusions.REASONS`, or None for a mammogram that can be decoded.
    """
    checks = (_gate_kind, _gate_view, _gate_pixels)
    try:
        return next((reason for check in checks if (reason := check(header))), None)
    except Excluded as error:
        return error.reason


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
    return "several-frames" if _number(header, "NumberOfFrames", 1) > 1 else None


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
    magnified = _number(header, "EstimatedRadiographicMagnificationFactor", 1) > MAX_MAGNIFICATION
    return "magnification" if magnified else None


def _gate_pixels(header: Dataset) -> str | None:
    if _transfer_syntax(header.file_meta) not in DECODERS:
        return "transfer-syntax"
    if _number(header, "SamplesPerPixel", 1) != 1:
        return "several-samples"
    if value(header, "PhotometricInterpretation") not in ("MONOCHROME1", "MONOCHROME2"):
        return "not-grey"
    rows, columns = _number(header, "Rows", 0, int), _number(header, "Columns", 0, int)
    if rows < 1 or columns < 1 or value(header, "BitsAllocated") not in (8, 16):
        return "no-pixels"
    return "too-many-pixels" if rows * columns > MAX_PIXELS else None


def _number(
    header: Dataset, keyword: str, default: float, kinds: type | tuple[type, ...] = (int, float)
) -> float:
    found = value(header, keyword, default)
    if not isinstance(found, kinds):
        raise Excluded("unreadable", f"{keyword} should be one {'whole ' if kinds is int else ''}number")
    return found


def flags(header: Dataset) -> list[str]:
    """What a reader should know about an object that is used all the same."""
    found = []
    if value(header, "BreastImplantPresent") == "YES":
        found.append("implant")
    if value(header, "PartialView") == "YES":
        found.append("partial-view")
    stored = _number(header, "BitsStored", value(header, "BitsAllocated"))
    if _number(header, "HighBit", stored - 1) != stored - 1:
        found.append("high-bit")
    return found


def decode(path: Path) -> np.ndarray:
    """Grey values of a mammogram under the project's one grey-scale policy.

    The modality transformation is applied where present (PS3.3 C.11.1), the windows are not
    (PS3.3 C.11.2: they are meant for one display); MONOCHROME1 is inverted over the range of its
    stored bits (PS3.3 C.7.6.3.1.2), so that air is dark; negative values are shifted to start at 0.

    Parameters
    ----------
    path : Path
        A file whose header passes `gate`; it is read and gated again.

    Returns
    -------
    (M, N) uint16 ndarray

    Raises
    ------
    Excluded
        With the reason of the gate, or ``truncated``, ``undecodable``, ``grey-range``.
    """
    dataset = _read(path, PIXELS, stop_before_pixels=False)
    if reason := gate(dataset):
        raise Excluded(reason)
    stored = _decode_stored(dataset)
    grey = _modality(stored, dataset)
    if value(dataset, "PhotometricInterpretation") == "MONOCHROME1":
        ends = _modality(_stored_range(dataset), dataset)
        grey = int(ends.min()) + int(ends.max()) - grey
    lowest = int(grey.min())
    if lowest < 0:
        grey = grey - lowest
    if int(grey.max()) > np.iinfo(np.uint16).max:
        raise Excluded("grey-range", f"expected at most 65535 above the lowest value, got {int(grey.max())}")
    return grey.astype(np.uint16, copy=False)


def _decode_stored(dataset: Dataset) -> np.ndarray:
    syntax = _transfer_syntax(dataset.file_meta)
    pixels = value(dataset, "PixelData")
    if not pixels:
        raise Excluded("no-pixels", "no pixel data")
    needed = dataset.Rows * dataset.Columns * dataset.BitsAllocated // 8
    if not DECODERS[syntax] and len(pixels) < needed:
        raise Excluded("truncated", f"expected {needed} bytes of pixels, got {len(pixels)}")
    try:
        stored = pixel_array(dataset, raw=True, index=0, decoding_plugin=DECODERS[syntax])
    except _DAMAGE as error:
        raise Excluded(
            "undecodable", f"{uid.UID(syntax).name} decoder stopped with {type(error).__name__}"
        ) from error
    shape = (dataset.Rows, dataset.Columns)
    if stored.shape != shape:
        raise Excluded("undecodable", f"expected an array of shape {shape}, got {stored.shape}")
    return stored


def _modality(stored: np.ndarray, dataset: Dataset) -> np.ndarray:
    """Whole numbers after the modality LUT or rescale; int32, or the stored type where there is neither."""
    if "ModalityLUTSequence" not in dataset and _is_identity(dataset):
        return stored.astype(np.int32) if stored.dtype.kind == "i" else stored
    try:
        values = apply_modality_lut(stored, dataset)
    except _DAMAGE as error:
        raise Excluded("unreadable", f"the modality LUT fails with {type(error).__name__}") from error
    if not np.isfinite(values).all() or np.abs(values).max() > 2**30:
        raise Excluded("grey-range", "the modality LUT leaves 32 bits")
    return np.rint(values).astype(np.int32)


def _is_identity(dataset: Dataset) -> bool:
    return _number(dataset, "RescaleSlope", 1) == 1 and _number(dataset, "RescaleIntercept", 0) == 0


def _stored_range(dataset: Dataset) -> np.ndarray:
    """Smallest and largest value that the stored bits can hold."""
    bits = int(_number(dataset, "BitsStored", dataset.BitsAllocated))
    if value(dataset, "PixelRepresentation", 0) == 1:
        return np.array([-(2 ** (bits - 1)), 2 ** (bits - 1) - 1], dtype=np.int32)
    return np.array([0, 2**bits - 1], dtype=np.int32)


_POSITIVE = re.compile(r"\+?\d+(\.\d*)?([eE][+-]?\d+)?")


def spacing(header: Dataset) -> tuple[float | None, str, list[str]]:
    """Pixel spacing of a projection image, and where it comes from.

    Parameters
    ----------
    header : pydicom.dataset.Dataset
        As `read_header` returns it.

    Returns
    -------
    mm : float or None
        None where the header gives no usable number.
    source : str
        ``"PixelSpacing"``, ``"ImagerPixelSpacing"`` (at the detector, not in the patient) or empty.
    flags : list of str
        ``spacing-invalid`` (missing value, not a positive number, a decimal comma),
        ``spacing-not-square``.

    References
    ----------
    .. [1] DICOM PS3.3 10.7.1.3, Pixel spacing value order and valid values.
    """
    found = []
    for keyword in ("PixelSpacing", "ImagerPixelSpacing"):
        texts = _texts(header, keyword)
        if not texts:
            continue
        if len(texts) != 2 or not all(_POSITIVE.fullmatch(text) for text in texts):
            found.append("spacing-invalid")
            continue
        row, column = map(float, texts)
        if not (0 < row < np.inf and 0 < column < np.inf):
            found.append("spacing-invalid")
        elif abs(row - column) > 1e-3 * row:
            found.append("spacing-not-square")
        else:
            return row, keyword, found
    return None, "", found


def _texts(header: Dataset, keyword: str) -> list[str]:
    """Values of a decimal string as they are written: pydicom refuses, or prints, a bad one."""
    if keyword not in header:
        return []
    element = header.get_item(keyword)
    raw = element.value
    if isinstance(raw, bytes):
        raw = raw.decode("ascii", errors="replace").split("\\")
    elif isinstance(raw, (str, float, int)):
        raw = str(raw).split("\\")
    return [str(text).strip(" \0") for text in raw or []]
