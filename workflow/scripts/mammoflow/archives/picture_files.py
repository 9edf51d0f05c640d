"""Reads pictures: PNG, TIFF and JPEG files of one grey image."""

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from mammoflow.base.exclusions import Excluded, unreadable
from mammoflow.dicom import headers

DICOM = "DICOM"
SUFFIXES = (".png", ".tif", ".tiff", ".jpg", ".jpeg")

_MAGIC = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"\xff\xd8\xff": "JPEG",
}
# What Pillow raises for damaged pictures.
_DAMAGE = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
)
_COLOUR = ("P", "PA", "CMYK", "YCbCr", "RGB", "RGBA")
_WHITE_IS_ZERO = 0
_BITS, _PHOTOMETRIC, _ORIENTATION = 258, 262, 274
_UPRIGHT = 1


def is_jpeg(path: str) -> bool:
    """Whether a file has the name of a JPEG file."""
    return PurePosixPath(path).suffix.lower() in (".jpg", ".jpeg")


def kind(path: Path) -> str:
    """Format of a file by its first bytes, whatever its name: DICOM, PNG, TIFF or JPEG.

    Raises
    ------
    Excluded
        ``unreadable``, or ``not-dicom`` for any other file.
    """
    with unreadable(), path.open("rb") as file:
        start = file.read(132)
        if not start:
            raise Excluded("unreadable", "the file is empty")
    if start[128:] == b"DICM":
        return DICOM
    for magic, name in _MAGIC.items():
        if start.startswith(magic):
            return name
    raise Excluded("not-dicom", "neither DICOM nor PNG, TIFF or JPEG")


def shape(path: Path) -> tuple[int, int]:
    """Rows and columns of a picture that `read` can probably read; nothing is decompressed.

    Raises
    ------
    Excluded
        As `read`, for what can be seen without the grey values.
    """
    with _opened(path) as picture:
        return picture.height, picture.width


def read(path: Path) -> np.ndarray:
    """Grey values of a picture.

    Parameters
    ----------
    path : Path
        PNG, TIFF or JPEG of 8 or 16 bits a pixel, air dark; in colour or with alpha only if all pixels are
        grey and of 8 bits.

    Returns
    -------
    (M, N) uint16 ndarray

    Raises
    ------
    Excluded
        ``too-many-pixels`` (before anything is decompressed), ``several-frames``, ``not-grey``,
        ``orientation``, ``grey-range``, ``unreadable`` or ``undecodable``.
    """
    with _opened(path) as picture:
        return _grey_values(picture)


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """A picture of which the header is read and is that of one grey image of a possible size."""
    with unreadable(), path.open("rb") as file:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about size, which is checked here, and odd metadata
                picture = Image.open(file, formats=tuple(set(_MAGIC.values())))
                _check(picture)
                yield picture
        except Image.DecompressionBombError:
            raise Excluded("too-many-pixels") from None
        except _DAMAGE as error:
            raise Excluded("undecodable", f"Pillow stopped with {type(error).__name__}") from None


def _check(picture: Image.Image) -> None:
    if picture.width * picture.height > headers.MAX_PIXELS:
        raise Excluded("too-many-pixels")
    if getattr(picture, "n_frames", 1) > 1:
        raise Excluded("several-frames")
    if picture.mode not in (*_COLOUR, "LA", "L", "I") and not picture.mode.startswith("I;16"):
        raise Excluded("not-grey", "expected 8 or 16 bits a pixel")
    if picture.mode in (*_COLOUR, "LA") and _is_deep(picture):
        raise Excluded("not-grey", "16 bits in colour or with alpha cannot be read")
    if _is_turned(picture):
        raise Excluded("orientation")


def _is_deep(picture: Image.Image) -> bool:
    """Whether a picture of several samples a pixel has more than 8 bits for each: Pillow would drop some."""
    bits = getattr(picture, "tag_v2", {}).get(_BITS, (8,))
    return max(bits) > 8 or ";16" in str(picture.tile[0].args)


def _is_turned(picture: Image.Image) -> bool:
    """Whether a tag says that the picture is to be turned; Pillow does so for TIFF, but not for JPEG."""
    try:
        # Not the method of PNG, which decompresses the picture to look for tags behind it.
        tags = Image.Image.getexif(picture)
    except _DAMAGE:
        return False
    return tags.get(_ORIENTATION, _UPRIGHT) != _UPRIGHT


def _grey_values(picture: Image.Image) -> np.ndarray:
    if picture.mode in ("P", "PA", "CMYK", "YCbCr"):
        picture = picture.convert("RGB")
    values = np.asarray(picture)
    if picture.mode in ("RGB", "RGBA"):
        if (values[..., :1] != values[..., 1:3]).any():
            raise Excluded("not-grey", "a picture in colour")
        values = values[..., 0]
    elif picture.mode == "LA":
        values = values[..., 0]
    if not values.size or values.min() < 0 or values.max() > np.iinfo(np.uint16).max:
        raise Excluded("grey-range", "expected grey values from 0 to 65535")
    values = values.astype(np.uint16)
    # Pillow inverts pictures of 8 bits itself.
    inverted = getattr(picture, "tag_v2", {}).get(_PHOTOMETRIC) == _WHITE_IS_ZERO
    return np.iinfo(np.uint16).max - values if inverted and picture.mode.startswith("I;16") else values
