"""Checks that JPEG, JPEG-LS and JPEG 2000 codestreams are complete, and reads their size and depth.

Decoders are lenient: they fill missing data, stop after the first of two pictures, and return a size
that differs from the DICOM header. None of these formats has a checksum, so a truncated picture can only
be recognised by the structure of the codestream.
"""

import re
import struct
from collections import Counter
from dataclasses import dataclass

from pydicom.uid import JPEG2000TransferSyntaxes, JPEGLSTransferSyntaxes

from mammoflow.base.exclusions import Excluded


@dataclass(frozen=True)
class Description:
    """Size and depth of a picture according to its codestream.

    Parameters
    ----------
    rows, columns, components : int
        Size of the picture, and number of its components.
    precision : int
        Bits per sample.
    signed : bool
        Whether samples are signed; only JPEG 2000 can declare this.
    """

    rows: int
    columns: int
    components: int
    precision: int
    signed: bool = False


def describe(codestream: bytes, syntax: str) -> Description:
    """Read size and depth from a codestream and check that it holds one complete picture.

    Parameters
    ----------
    codestream : bytes
        All fragments of one frame; padding may follow its end.
    syntax : str
        Transfer syntax: any JPEG, JPEG-LS or JPEG 2000.

    Raises
    ------
    Excluded
        ``undecodable`` when it is truncated, has data after its end, or is not a valid codestream.

    References
    ----------
    .. [1] ITU-T T.81, annex B (JPEG); T.87, annex C (JPEG-LS); T.800, annex A (JPEG 2000).
    """
    walk = _jpeg_2000 if syntax in JPEG2000TransferSyntaxes else _jpeg
    try:
        description, end = walk(codestream, syntax)
    except (struct.error, IndexError):
        raise Excluded("undecodable", _CUT) from None
    if codestream[end:].strip(_PADDING):
        raise Excluded("undecodable", "bytes follow the end of the compressed picture")
    return description


# The value of the standard and another one that many files use.
_PADDING = b"\x00\xff"
_CUT = "the compressed picture is cut"

# Start-of-frame markers; tables (C4, CC) and JPEG extensions (C8) use numbers of the same range.
_FRAMES = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
_START, _END, _SCAN = 0xD8, 0xD9, 0xDA
# The first marker after entropy-coded bytes; restart markers (D0 to D7) are part of these. An FF that is data
# is followed by 00 in JPEG and by a byte below 80 in JPEG-LS.
_AFTER_SCAN = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_AFTER_SCAN_LS = re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")


def _jpeg(codestream: bytes, syntax: str) -> tuple[Description, int]:
    after_scan = _AFTER_SCAN_LS if syntax in JPEGLSTransferSyntaxes else _AFTER_SCAN
    frames = []
    marker, position = _marker(codestream, 0)
    _expect(marker == _START, "JPEG")
    while (following := _marker(codestream, position))[0] != _END:
        marker, position = following
        if marker in _FRAMES:
            precision, rows, columns, components = struct.unpack_from(">BHHB", codestream, position + 2)
            frames.append(Description(rows, columns, components, precision))
        position += struct.unpack_from(">H", codestream, position)[0]
        if marker == _SCAN:
            end = after_scan.search(codestream, position)
            if end is None:
                raise Excluded("undecodable", _CUT)
            position = end.start()
    _expect(len(frames) == 1, "JPEG")
    return frames[0], following[1]


def _marker(codestream: bytes, position: int) -> tuple[int, int]:
    """Second byte of the marker at a position, and the position after it; FF may be repeated before it."""
    while codestream[position + 1] == 0xFF:
        position += 1
    _expect(codestream[position] == 0xFF, "JPEG")
    return codestream[position + 1], position + 2


_TILE, _END_2000 = 0xFF90, 0xFFD9


def _jpeg_2000(codestream: bytes, _: str) -> tuple[Description, int]:
    _expect(codestream[:4] == b"\xff\x4f\xff\x51", "JPEG 2000")
    description, tiles = _size(codestream)
    position, parts, expected = 2, Counter(), {}
    while (marker := struct.unpack_from(">H", codestream, position)[0]) != _END_2000:
        if marker == _TILE:
            tile, length, part, count = struct.unpack_from(">HIBB", codestream, position + 4)
            parts[tile] += 1
            expected[tile] = max(part + 1, count, expected.get(tile, 0))
            # A part without a stated length is the last one.
            length = length or len(codestream.rstrip(_PADDING)) - 2 - position
        else:
            length = 2 + struct.unpack_from(">H", codestream, position + 2)[0]
        _expect(length >= 4, "JPEG 2000")
        position += length
    if parts != expected or len(parts) != tiles:
        raise Excluded("undecodable", "tiles of the compressed picture are missing")
    return description, position + 2


def _size(codestream: bytes) -> tuple[Description, int]:
    """Description of a JPEG 2000 picture from its size marker, and its number of tiles."""
    right, bottom, left, top, *tile = struct.unpack_from(">8I", codestream, 8)
    components, depth, across, down = struct.unpack_from(">H3B", codestream, 40)
    tile_width, tile_height, tile_left, tile_top = tile
    _expect(across == down == 1 and tile_width > 0 and tile_height > 0, "JPEG 2000")
    tiles = -((tile_left - right) // tile_width) * -((tile_top - bottom) // tile_height)
    return Description(bottom - top, right - left, components, (depth & 0x7F) + 1, bool(depth & 0x80)), tiles


def _expect(condition: bool, kind: str) -> None:
    if not condition:
        raise Excluded("undecodable", f"expected one {kind} codestream of one picture")
