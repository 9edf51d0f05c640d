"""`mammoflow detect` on a hundred hostile files: none is lost, no name gets out, and memory is bounded."""

import os
import random
import struct
import subprocess
import sys
import zipfile
import zlib

import model_files
import numpy as np
import pydicom
import pytest
from configs import SCRIPTS
from PIL import Image

from mammoflow import archives
from mammoflow.base.contracts.detected import DETECTED, LEFT_OUT
from mammoflow.phantoms import cohorts

NAME = "Mustermann"
MOST_BYTES = 2 * 2**30

# Runs a command, and tells the memory of the largest process of it in kilobytes.
MEASURED = (
    "import resource, subprocess, sys; ran = subprocess.run(sys.argv[1:]); "
    "print('largest', resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(ran.returncode)"
)

WRONG = {
    "Modality": "CT",
    "SamplesPerPixel": 3,
    "PhotometricInterpretation": "PALETTE COLOR",
    "BitsAllocated": 32,
    "Rows": 65535,
    "Columns": 0,
    "NumberOfFrames": str(10**6),
    "PixelRepresentation": 1,
    "HighBit": 15,
    "SOPClassUID": "1.2.840.10008.5.1.4.1.1.13.1.3",
    "PresentationIntentType": "FOR PROCESSING",
    "ImageType": ["DERIVED", "SECONDARY", NAME],
    "ViewPosition": NAME,
    "ImageLaterality": "X",
    "ImagerPixelSpacing": [-1, 0],
    "PixelSpacing": [1e300, 1e-300],
}


def png(width, height, body=b""):
    """Header of a PNG of any size, and some of its data."""

    def chunk(kind, content):
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", width, height, 16, 0, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(body)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels


def pictures(folder):
    """Pictures of kinds that are no mammograms, or claim to be larger than any."""
    grey = (np.add.outer(np.arange(200), np.arange(150)) % 256).astype(np.uint8)
    for mode, suffix in [
        ("P", "png"),
        ("RGBA", "png"),
        ("1", "png"),
        ("CMYK", "jpg"),
        ("F", "tif"),
        ("I", "tif"),
    ]:
        Image.fromarray(grey).convert(mode).save(folder / f"{NAME} {mode}.{suffix}")
    contents = {
        "bomb.png": png(60000, 60000, bytes(10**6)),
        "longest.png": png(2**31 - 1, 2**31 - 1),
        "none.png": png(0, 0),
        "bomb.tif": b"II*\0\x08\0\0\0\x02\0"
        + struct.pack("<HHII", 256, 4, 1, 10**6)
        + struct.pack("<HHII", 257, 4, 1, 10**6)
        + b"\0\0\0\0",
        "loop.tif": b"II*\0\x08\0\0\0\0\0\x08\0\0\0",
        "bomb.jpg": b"\xff\xd8\xff\xc0\0\x0b\x08\xff\xff\xff\xff\x01\x01\x11\0\xff\xd9",
        "page.dcm": f"<html>{NAME}</html>".encode(),
        "zeros.dcm": bytes(5000),
        "prefix.dcm": bytes(128) + b"DICM",
        "forever.dcm": bytes(128) + b"DICM" + b"\x08\0\x05\0SQ\0\0\xff\xff\xff\xff" * 3000,
    }
    for name, content in contents.items():
        (folder / f"{NAME} {name}").write_bytes(content)
    with zipfile.ZipFile(folder / "archive.dcm", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{NAME}.dcm", bytes(10**7))


def mammograms(folder, whole):
    """A mammogram cut, changed byte by byte, and with each of its statements wrong."""
    generator = random.Random(1)
    for number in range(25):
        (folder / f"{NAME} cut {number}.dcm").write_bytes(whole[: generator.randrange(len(whole))])
    for number in range(30):
        content = bytearray(whole)
        for _ in range(30):
            content[generator.randrange(132, 3000)] = generator.randrange(256)
        (folder / f"{NAME} header {number}.dcm").write_bytes(content)
    for number in range(8):
        content = bytearray(whole)
        for _ in range(1000):
            content[generator.randrange(3000, len(content))] = generator.randrange(256)
        (folder / f"{NAME} pixels {number}.dcm").write_bytes(content)
    source = pydicom.dcmread(folder / f"{NAME}.dcm")
    for keyword, value in WRONG.items():
        wrong = source.copy()
        setattr(wrong, keyword, value)
        wrong.save_as(folder / f"{NAME} {keyword}.dcm")
    # Sequences in sequences, each with a name, before the first statement of the mammogram.
    opened = b"\x08\0\x40\x11SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\0\xe0\xff\xff\xff\xff"
    closed = b"\xfe\xff\x0d\xe0\0\0\0\0" + b"\xfe\xff\xdd\xe0\0\0\0\0"
    named = b"\x10\0\x10\0PN" + struct.pack("<H", len(NAME) + 1) + f"{NAME} ".encode()
    begin = whole.index(b"\x08\0\x18\0UI")
    (folder / "nested.dcm").write_bytes(whole[:begin] + opened * 3000 + named + closed * 3000 + whole[begin:])


@pytest.fixture
def hostile(tmp_path):
    cohort = {"cohort": "digital", "patients": 1, "detector": [600, 400], "pixel_mm": 0.2, "masses": 1}
    cohorts.write(tmp_path / "release", cohort, seed=0)
    source = archives.archive("inbreast").index(tmp_path / "release", threads=1).images["path"].iloc[0]
    header = pydicom.dcmread(tmp_path / "release" / source)
    for keyword in ("PatientName", "PatientID", "StudyDescription", "SeriesDescription", "InstitutionName"):
        setattr(header, keyword, NAME)
    folder = tmp_path / NAME
    folder.mkdir()
    header.save_as(folder / f"{NAME}.dcm")
    mammograms(folder, (folder / f"{NAME}.dcm").read_bytes())
    pictures(folder)
    return folder


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom.*")
def test_nothing_is_lost_no_name_gets_out_and_memory_is_bounded(hostile, tmp_path):
    files = [path for path in hostile.rglob("*") if path.is_file()]
    assert len(files) > 95
    model = model_files.write(tmp_path / "a.mammoflow", model_files.random_weights(tmp_path))
    out = tmp_path / "out"
    command = [sys.executable, "-m", "mammoflow.commands.main", "detect", model, hostile]
    ran = subprocess.run(
        [sys.executable, "-c", MEASURED, *command, "--out", out, "--threshold", "0", "--threads", "2"],
        env=os.environ | {"PYTHONPATH": str(SCRIPTS)},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert ran.returncode == 3, ran.stderr
    assert "Traceback" not in ran.stdout + ran.stderr
    images, excluded = DETECTED.read(out / "images.csv"), LEFT_OUT.read(out / "excluded.csv")
    assert len(images) + len(excluded) == len(files)
    assert len(images) > 5
    assert excluded["reason"].nunique() > 10
    assert int(ran.stdout.rpartition("largest ")[2]) * 1024 < MOST_BYTES
    assert NAME not in ran.stdout + ran.stderr
    for path in (path for path in out.rglob("*") if path.is_file() and path.parent.name != "dicom"):
        assert NAME not in str(path.relative_to(out))
        assert NAME.encode() not in path.read_bytes(), path.name
