"""Reads the pixels of DICOM mammograms and converts them to grey values."""

from pathlib import Path

import numpy as np
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut

from mammoflow.base.exclusions import Excluded, unreadable
from mammoflow.dicom import decoding
from mammoflow.dicom.headers import (
    DAMAGE,
    PIXEL_HEADER,
    image_shape,
    number,
    photometric,
    read_elements,
    require_usable,
    stored_depth,
    transfer_syntax,
    value,
)


def decode(path: Path) -> np.ndarray:
    """Grey values of a mammogram, converted as stated in `contracts.stored.GREY_SCALE`.

    The modality transformation is applied if present (PS3.3 C.11.1). Windows and VOI LUTs are not
    applied because they are meant for display (C.11.2). MONOCHROME1 is inverted over the range of the
    stored bits (C.7.6.3.1.2), so that air is dark. Negative values are shifted to start at 0.

    Compressed pixels are decoded in a separate process; see `decoding`.

    Parameters
    ----------
    path : Path
        A file whose header passes `headers.gate`; the header is read and checked again.

    Returns
    -------
    (M, N) uint16 ndarray

    Raises
    ------
    Excluded
        With the reason of `headers.gate`, or ``truncated``, ``undecodable``, ``high-bit``,
        ``grey-range``, or a reason of `decoding.decode`.
    """
    header = read_elements(path, PIXEL_HEADER)
    require_usable(header)
    with unreadable():
        stored = _stored(path, header)
    grey = _modality(stored, header)
    if photometric(header) == "MONOCHROME1":
        ends = _modality(_stored_range(header), header)
        grey = int(ends.min()) + int(ends.max()) - grey
    if grey.dtype.kind == "u":
        return grey.astype(np.uint16, copy=False)
    grey -= min(0, int(grey.min()))
    if int(grey.max()) > np.iinfo(np.uint16).max:
        raise Excluded("grey-range", f"expected at most 65535 above the lowest value, got {int(grey.max())}")
    return grey.astype(np.uint16)


def _stored(path: Path, header: Dataset) -> np.ndarray:
    """(M, N) stored values: only the stored bits of each pixel, without other bits in the same bytes."""
    if not header.pixels.encapsulated:
        return _stored_bits(_native(path, header), header)
    frame = compressed_frame(path, header)
    samples = decoding.decode(frame)
    if frame.syntax == uid.RLELossless:
        return _stored_bits(samples.values, header)
    return _decoded_bits(samples, header)


def compressed_frame(path: Path, header: Dataset) -> decoding.Frame:
    """The compressed picture of a file whose header passes `headers.gate`."""
    with path.open("rb") as file:
        pieces = [(file.seek(start), file.read(length))[1] for start, length in header.pixels.pieces]
    syntax = transfer_syntax(header.file_meta)
    return decoding.Frame(syntax, b"".join(pieces), header.Rows, header.Columns, header.BitsAllocated)


def _native(path: Path, header: Dataset) -> np.ndarray:
    """(M, N) pixels as in the file, as unsigned numbers in the machine's byte order."""
    shape = image_shape(header)
    count, bits = shape[0] * shape[1], header.BitsAllocated
    _, is_little_endian = header.original_encoding
    order = "<" if is_little_endian else ">"
    ((start, _),) = header.pixels.pieces
    if bits == 8 and not is_little_endian and header.pixels.vr == "OW":  # words of two pixels
        words = np.fromfile(path, ">u2", -(-count // 2), offset=start)
        pixels = words.astype("<u2").view(np.uint8)[:count]
    else:
        pixels = np.fromfile(path, f"{order}u{bits // 8}", count, offset=start)
    if pixels.size != count:
        raise Excluded("truncated")
    return pixels.reshape(shape).astype(f"u{bits // 8}", copy=False)


def _stored_bits(pixels: np.ndarray, header: Dataset) -> np.ndarray:
    """Extract the stored bits of pixels whose other bits may hold something else, such as overlays.

    Raises
    ------
    Excluded
        ``high-bit`` when the header places the stored bits above other bits, which PS3.5 section 8.1.1
        forbids, and the other bits are used: the grey values could be in either.
    """
    stored, high, is_signed = stored_depth(header)
    allocated, lowest = header.BitsAllocated, high + 1 - stored
    mask = (1 << stored) - 1
    if lowest and (pixels & ((1 << allocated) - 1 - (mask << lowest))).any():
        raise Excluded("high-bit")
    pixels = pixels.view(f"i{allocated // 8}") if is_signed else pixels
    if stored == allocated:
        return pixels
    pixels = np.require(pixels, requirements="W")  # in place: allocating large arrays is slow
    if is_signed:
        pixels <<= allocated - 1 - high
        pixels >>= allocated - stored
    else:
        pixels >>= lowest
        pixels &= mask
    return pixels


def _decoded_bits(samples: decoding.Samples, header: Dataset) -> np.ndarray:
    """Stored values from the samples of a codestream, which are always the lowest bits.

    Raises
    ------
    Excluded
        ``undecodable`` when samples do not fit the stored bits, or their signs are ambiguous;
        ``high-bit`` when the header places the stored bits elsewhere.
    """
    stored, high, is_signed = stored_depth(header)
    allocated, precision = header.BitsAllocated, samples.precision
    if high != stored - 1 and precision != stored:
        raise Excluded("high-bit", f"{stored} bits stored up to bit {high}, {precision} compressed")
    if precision > allocated or (is_signed and not samples.signed and precision < stored):
        raise Excluded("undecodable", f"{stored} bits stored, {precision} compressed")
    sample_kind = "i" if samples.signed else "u"
    pixels = samples.values.view(f"{sample_kind}{samples.values.itemsize}")
    pixels = pixels.astype(f"{'i' if is_signed else 'u'}{allocated // 8}", copy=False)
    if stored == allocated and samples.signed == is_signed:
        return pixels
    values = pixels << allocated - stored >> allocated - stored
    if ((values ^ pixels) << allocated - precision).any():
        raise Excluded("undecodable", f"expected samples of {stored} stored bits")
    return values


def _modality(stored: np.ndarray, header: Dataset) -> np.ndarray:
    """Integers after the modality LUT or rescale: int32, or the unsigned stored values if there is neither.

    Each distinct stored value is converted once (look-up table).
    """
    slope, intercept = (value(header, f"Rescale{name}") for name in ("Slope", "Intercept"))
    if (slope is None) != (intercept is None):
        raise Excluded("unreadable", "expected both of RescaleSlope and RescaleIntercept, or none")
    slope, intercept = number(header, "RescaleSlope", 1), number(header, "RescaleIntercept", 0)
    if "ModalityLUTSequence" not in header and slope == 1 and intercept == 0:
        return stored.astype(np.int32) if stored.dtype.kind == "i" else stored
    lowest, highest = int(stored.min()), int(stored.max())
    levels = np.arange(lowest, highest + 1)
    try:
        values = apply_modality_lut(levels, header)
    except DAMAGE as error:
        raise Excluded("unreadable", f"the modality LUT fails with {type(error).__name__}") from None
    if not np.isfinite(values).all() or np.abs(values).max() > 2**30:
        raise Excluded("grey-range", "the modality LUT gives values beyond 32 bits")
    whole = np.rint(values)
    if slope == 0 or len(np.unique(whole)) < len(np.unique(values)):
        raise Excluded("grey-range", "the rescale maps several grey values to one whole number")
    return whole.astype(np.int32)[stored.astype(np.int32) - lowest]


def _stored_range(header: Dataset) -> np.ndarray:
    """Smallest and largest value that the stored bits can hold."""
    bits, _, is_signed = stored_depth(header)
    if is_signed:
        return np.array([-(2 ** (bits - 1)), 2 ** (bits - 1) - 1], dtype=np.int32)
    return np.array([0, 2**bits - 1], dtype=np.uint16)
