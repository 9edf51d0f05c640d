"""Locates the pixel data of a DICOM file without reading them."""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from pydicom.valuerep import EXPLICIT_VR_LENGTH_16, EXPLICIT_VR_LENGTH_32

PIXEL_DATA = 0x7FE00010
MAX_FRAGMENTS = 100_000

_UNDEFINED = 0xFFFFFFFF
_ITEM, _DELIMITER = 0xFFFEE000, 0xFFFEE0DD


@dataclass(frozen=True)
class PixelData:
    """The value of the element Pixel Data (7FE0,0010) in a file.

    Parameters
    ----------
    pieces : tuple of (int, int)
        Offset in the file and length in bytes, of the value or of each fragment.
    vr : str
        Value representation; empty if the file does not state it.
    encapsulated : bool
        Whether the value is a sequence of fragments (PS3.5 annex A.4); `pieces` excludes the offset table.
    fault : str
        Reason why the value cannot be used, a key of `exclusions.REASONS`; empty if it can be used.
    trailing : bool
        Whether it is followed by data that are not a further element.
    """

    pieces: tuple[tuple[int, int], ...]
    vr: str
    encapsulated: bool
    fault: str = ""
    trailing: bool = False

    @property
    def length(self) -> int:
        """Total number of bytes of all pieces."""
        return sum(length for _, length in self.pieces)


def locate(file: BinaryIO, is_implicit: bool, is_little_endian: bool) -> PixelData | None:
    """Find the pixel data at the present position of a file.

    Parameters
    ----------
    file : binary file
        At the start of an element.
    is_implicit, is_little_endian : bool
        The encoding of the data set.

    Returns
    -------
    PixelData or None
        None if there is no element at this position, or a different one.
    """
    size = os.fstat(file.fileno()).st_size
    element = _element(file, is_implicit, is_little_endian)
    if element is None or element[0] != PIXEL_DATA:
        return None
    _, vr, length = element
    encapsulated = length == _UNDEFINED
    pieces, fault = [], ""
    if encapsulated:
        fault = _read_items(file, size, pieces)
    else:
        pieces.append((file.tell(), length))
        fault = "truncated" if file.tell() + length > size else ""
        file.seek(length, os.SEEK_CUR)
    trailing = not fault and not _only_elements(file, size, is_implicit, is_little_endian)
    return PixelData(tuple(pieces), vr, encapsulated, fault, trailing)


def _element(file: BinaryIO, is_implicit: bool, is_little_endian: bool) -> tuple[int, str, int] | None:
    """Read tag, representation and length of the next element; None if there is none."""
    order = "<" if is_little_endian else ">"
    try:
        group, number, length = struct.unpack(f"{order}HHL", head := file.read(8))
        vr = "" if is_implicit else head[4:6].decode("latin-1")
        if vr in EXPLICIT_VR_LENGTH_32:
            (length,) = struct.unpack(f"{order}L", file.read(4))
        elif vr in EXPLICIT_VR_LENGTH_16:
            (length,) = struct.unpack(f"{order}H", head[6:])
        elif vr:
            return None
    except struct.error:
        return None
    return group << 16 | number, vr, length


def _read_items(file: BinaryIO, size: int, pieces: list[tuple[int, int]]) -> str:
    """Add the fragments up to the delimiter to `pieces`; return the fault, if any."""
    tables = 1
    for tag, length in _items(file):
        if tag == _DELIMITER:
            return ""
        if tag != _ITEM or length == _UNDEFINED or len(pieces) == MAX_FRAGMENTS:
            return "undecodable"
        if file.tell() + length > size:
            return "truncated"
        if tables == 0:
            pieces.append((file.tell(), length))
        elif length > 4:  # the offset table has one entry per frame
            return "several-frames"
        tables = 0
        file.seek(length, os.SEEK_CUR)
    return "truncated"


def _items(file: BinaryIO) -> Iterator[tuple[int, int]]:
    while len(head := file.read(8)) == 8:
        group, number, length = struct.unpack("<HHL", head)
        yield group << 16 | number, length


def _only_elements(file: BinaryIO, size: int, is_implicit: bool, is_little_endian: bool) -> bool:
    """Whether the rest of the file consists of complete elements with ascending tags."""
    last = PIXEL_DATA
    while file.tell() < size:
        element = _element(file, is_implicit, is_little_endian)
        if element is None or element[0] <= last:
            return False
        last, _, length = element
        if length == _UNDEFINED:
            return True
        if file.tell() + length > size:
            return False
        file.seek(length, os.SEEK_CUR)
    return True
