"""Where the pixel data of a DICOM file lie, found without reading them."""

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
        Offset in the file and length in bytes: of the value, or of each fragment.
    vr : str
        Value representation; empty where the file does not say it.
    encapsulated : bool
        Whether the value is a sequence of fragments (PS3.5 annex A.4), the offset table left out.
    fault : str
        Why the value cannot be used, a key of `exclusions.REASONS`; empty where it can.
    trailing : bool
        Whether something follows it in the file that is no further element.
    """

    pieces: tuple[tuple[int, int], ...]
    vr: str
    encapsulated: bool
    fault: str = ""
    trailing: bool = False

    @property
    def length(self) -> int:
        """Bytes of all pieces."""
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
        None where the element there is another one, or none.
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
    """Tag, representation and length of an element whose value comes next; None where there is none."""
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
    """Add the fragments to the pieces, up to the delimiter, and return the fault if there is one."""
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
        elif length > 4:  # the table of offsets has one for every frame
            return "several-frames"
        tables = 0
        file.seek(length, os.SEEK_CUR)
    return "truncated"


def _items(file: BinaryIO) -> Iterator[tuple[int, int]]:
    while len(head := file.read(8)) == 8:
        group, number, length = struct.unpack("<HHL", head)
        yield group << 16 | number, length


def _only_elements(file: BinaryIO, size: int, is_implicit: bool, is_little_endian: bool) -> bool:
    """Whether elements of rising tags, each within the file, fill it from here to its end."""
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
