"""Small releases written by hand, independent of the phantoms."""

import plistlib
from pathlib import Path

import gdcm
import numpy as np
import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid


def dicom_file(path: Path, pixels: np.ndarray, **elements: object) -> Path:
    """Write a grey image as a DICOM object; a value of None leaves the element out."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = elements.pop("TransferSyntaxUID", ExplicitVRLittleEndian)
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    bits = pixels.dtype.itemsize * 8
    values = {
        "SOPClassUID": meta.MediaStorageSOPClassUID,
        "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
        "SeriesInstanceUID": generate_uid(),
        "PatientName": "SECRET^NAME",
        "PatientID": "nobody",
        "Modality": "MG",
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": pixels.shape[0],
        "Columns": pixels.shape[1],
        "BitsAllocated": bits,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": int(pixels.dtype.kind == "i"),
        "PixelData": pixels.tobytes(),
        **elements,
    }
    for keyword, value in values.items():
        if value is not None:
            setattr(dataset, keyword, value)
    dataset["PixelData"].VR = "OB" if bits == 8 else "OW"
    path.parent.mkdir(parents=True, exist_ok=True)
    pydicom.dcmwrite(path, dataset, enforce_file_format=True)
    return path


def recompress(source: Path, target: Path, syntax: int) -> Path:
    """Write a DICOM file in another transfer syntax (of ``gdcm.TransferSyntax``), by GDCM alone."""
    reader = gdcm.ImageReader()
    reader.SetFileName(str(source))
    change, writer = gdcm.ImageChangeTransferSyntax(), gdcm.ImageWriter()
    change.SetTransferSyntax(gdcm.TransferSyntax(syntax))
    if not reader.Read():
        raise ValueError(f"{source}: GDCM cannot read it")
    change.SetInput(reader.GetImage())
    if not change.Change():
        raise ValueError(f"{source}: GDCM cannot write it in the transfer syntax {syntax}")
    writer.SetFileName(str(target))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    if not writer.Write():
        raise ValueError(f"{target}: GDCM cannot write it")
    return target


def half_ellipse(shape: tuple[int, int] = (128, 96), grey: int = 2000, side: str = "left") -> np.ndarray:
    """A breast of one grey value on a dark background, its chest wall at a side of the image."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    breast = ((y - shape[0] / 2) / (0.4 * shape[0])) ** 2 + (x / (0.6 * shape[1])) ** 2 < 1
    image = np.where(breast, grey, 0).astype(np.uint16)
    image[breast] += ((y + x) % 7).astype(np.uint16)[breast]
    return image if side == "left" else np.ascontiguousarray(image[:, ::-1])


def rectangle(shape: tuple[int, int], box: tuple[int, int, int, int]) -> np.ndarray:
    mask = np.zeros(shape, dtype=bool)
    mask[box[0] : box[2], box[1] : box[3]] = True
    return mask


def plist(path: Path, rois: list[tuple], wrong_number: bool = False) -> Path:
    """Write an annotation file in INbreast's schema.

    A region is its name, its points (x, y) and, unless it is a polygon, its type.
    """
    content = {
        "Images": [
            {
                "ImageIndex": 0,
                "NumberOfROIs": len(rois),
                "ROIs": [
                    {
                        "Name": name,
                        "Type": kind[0] if kind else 15,
                        "NumberOfPoints": len(points) + wrong_number,
                        "Point_px": [f"({x:.6f}, {y:.6f})" for x, y in points],
                    }
                    for name, points, *kind in rois
                ],
            }
        ]
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(plistlib.dumps(content))
    return path
