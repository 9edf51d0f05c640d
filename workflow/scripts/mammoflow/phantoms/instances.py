"""Builds and writes the images of phantom releases: identifiers, pixels, files."""

import hashlib
import io
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import read_file_meta_info
from pydicom.uid import UID

from mammoflow.base import storage

# Files that a Mac adds to an archive: folder settings, and resource forks in separate files.
MAC_SETTINGS, MAC_FORKS = ".DS_Store", "__MACOSX"

# The writer named in the file meta information, in this text of a PNG file, or in the comment of a JPEG file;
# it distinguishes phantoms from images of patients.
WRITER, SOFTWARE = "MAMMOFLOW", "Software"

JPEG_QUALITY = 90


def uid(*labels: str | int) -> str:
    """DICOM UID under the root for UUIDs (PS3.5 B.2); the same labels always give the same UID."""
    digest = hashlib.sha256("\0".join(map(str, labels)).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def with_pixels(dataset: Dataset, pixels: np.ndarray, bits: int) -> Dataset:
    """Set the image pixel module (DICOM PS3.3 C.7.6.3) of a monochrome image.

    Parameters
    ----------
    dataset : pydicom.Dataset
        Changed in place, and returned.
    pixels : ndarray of uint8 or uint16, shape (M, N)
        MONOCHROME2: dense tissue is bright.
    bits : int
        Bits stored.
    """
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated = 8 * pixels.itemsize
    dataset.BitsStored = bits
    dataset.HighBit = bits - 1
    dataset.PixelRepresentation = 0
    data = np.ascontiguousarray(pixels).astype(pixels.dtype.newbyteorder("<"), copy=False).tobytes()
    dataset.PixelData = data + b"\0" * (len(data) % 2)
    dataset["PixelData"].VR = "OW"
    return dataset


def jpeg(pixels: np.ndarray) -> bytes:
    """JPEG file of an image of 8 bits, with a comment by which it is known as a phantom."""
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "JPEG", quality=JPEG_QUALITY, comment=WRITER)
    return content.getvalue()


class Folder:
    """Writes files below a root, each completely or not at all, and computes a digest over them.

    Parameters
    ----------
    root : Path
        The release's root.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._digest = hashlib.sha256()

    def digest(self) -> str:
        """Hexadecimal SHA-256 over names and contents, in the order of writing."""
        return self._digest.hexdigest()

    def write(self, content: bytes, path: str) -> None:
        """Write a file; its path is relative to the root."""
        self._digest.update(path.encode())
        self._digest.update(content)
        with storage.whole(self.root / path) as temporary:
            temporary.write_bytes(content)

    def write_dicom(self, dataset: Dataset, path: str, syntax: UID) -> None:
        """Write a DICOM file whose pixel data are in a transfer syntax."""
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = dataset.SOPClassUID
        meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        meta.TransferSyntaxUID = syntax
        meta.ImplementationClassUID = uid("mammoflow", "phantoms")
        meta.ImplementationVersionName = WRITER
        dataset.file_meta = meta
        content = io.BytesIO()
        dataset.save_as(content, enforce_file_format=True)
        self.write(content.getvalue(), path)

    def write_leftovers(self, path: str) -> None:
        """Write the extra files that a Mac leaves in the root and for one file in it."""
        folder, _, name = path.rpartition("/")
        self.write(b"\0\0\0\1Bud1", MAC_SETTINGS)
        self.write(b"\0\5\x16\7\0\2\0\0Mac OS X", f"{MAC_FORKS}/._{path.partition('/')[0]}")
        self.write(b"\0\5\x16\7\0\2\0\0Mac OS X", f"{folder}/._{name}")


def is_phantom(path: Path) -> bool:
    """Whether a DICOM, PNG or JPEG file is a phantom written by this package."""
    if path.suffix == ".jpg":
        with Image.open(path) as picture:
            return picture.info.get("comment") == WRITER.encode()
    if path.suffix == ".png":
        with Image.open(path) as picture:
            return picture.info.get(SOFTWARE) == WRITER
    return read_file_meta_info(path).get("ImplementationVersionName") == WRITER
