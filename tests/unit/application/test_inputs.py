"""Pictures and damaged files: what is read, and what is left out with which reason."""

import os
import random
import struct
import zlib

import crashes
import numpy as np
import pydicom
import pytest
from PIL import Image

from mammoflow import archives
from mammoflow.application import inputs, surviving
from mammoflow.archives import picture_files
from mammoflow.phantoms import cohorts

SETTINGS = inputs.Settings("digital", "original", None)


@pytest.fixture(scope="module")
def grey():
    """A breast at the left edge, brighter inside, on air, (300, 200) uint16."""
    y, x = np.mgrid[:300, :200]
    inside = ((y - 150) / 120) ** 2 + (x / 120) ** 2
    return np.where(inside < 1, 20000 + 20000 * (1 - inside), 50).astype(np.uint16)


def read(path):
    return inputs.read(inputs.identified(inputs.Found(path)), SETTINGS)


def reason(path):
    found = read(path)
    assert isinstance(found, inputs.Found), "it was read"
    return found.reason


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_pictures_of_16_bits(grey, tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(grey).save(path)
    np.testing.assert_array_equal(picture_files.read(path), grey)
    mammogram = read(path)
    assert (mammogram.laterality, mammogram.view, mammogram.spacing_mm) == ("", "", None)
    assert not mammogram.stored.geometry.mirrored


def test_the_format_is_that_of_the_bytes_and_not_of_the_name(grey, tmp_path):
    path = tmp_path / "a.dcm"
    Image.fromarray((grey >> 8).astype(np.uint8)).save(path, "PNG")
    np.testing.assert_array_equal(picture_files.read(path), grey >> 8)


def test_grey_pictures_in_colour_and_coloured_ones(grey, tmp_path):
    eight = (grey >> 8).astype(np.uint8)
    path = tmp_path / "a.jpg"
    Image.fromarray(eight).convert("RGB").save(path, quality=95)
    assert np.abs(picture_files.read(path).astype(int) - eight).max() < 30
    Image.fromarray(np.dstack([eight, eight, 255 - eight])).save(tmp_path / "b.png")
    assert reason(tmp_path / "b.png") == "not-grey"


def test_a_tiff_in_which_white_is_zero(grey, tmp_path):
    path = tmp_path / "a.tif"
    Image.fromarray(65535 - grey).save(path, tiffinfo={262: 0})
    np.testing.assert_array_equal(picture_files.read(path), grey)


def test_a_picture_that_would_be_too_large_is_not_decompressed(tmp_path):
    def chunk(kind, content):
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"\0" * 10**7)
    path = tmp_path / "bomb.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )
    assert reason(path) == "too-many-pixels"


def test_damaged_pictures(grey, tmp_path):
    for suffix in ("png", "tif", "jpg"):
        path = tmp_path / f"a.{suffix}"
        Image.fromarray((grey >> 8).astype(np.uint8)).save(path)
        content = path.read_bytes()
        for left in (20, len(content) // 2):
            path.write_bytes(content[:left])
            assert reason(path) == "undecodable"
        for place in range(0, len(content), max(len(content) // 40, 1)):
            path.write_bytes(content[:place] + bytes([content[place] ^ 255]) + content[place + 1 :])
            read(path)  # a result or a reason, never an error


@pytest.mark.filterwarnings("ignore::UserWarning")  # of pydicom; `surviving` shows none of them
def test_damaged_mammograms_give_a_result_or_a_reason_without_a_name(tmp_path):
    cohort = {"cohort": "digital", "patients": 1, "detector": [400, 300], "pixel_mm": 0.3, "masses": 1}
    cohorts.write(tmp_path / "release", cohort, seed=0)
    path = tmp_path / "a.dcm"
    source = archives.archive("inbreast").index(tmp_path / "release", threads=1).images["path"].iloc[0]
    header = pydicom.dcmread(tmp_path / "release" / source)
    header.PatientName = header.PatientID = header.StudyDescription = "Mustermann"
    header.save_as(path)
    whole = path.read_bytes()
    assert isinstance(read(path), inputs.Mammogram)
    generator = random.Random(0)
    reasons = set()
    for _ in range(60):
        content = bytearray(whole)
        for _ in range(20):
            content[generator.randrange(132, 2500)] = generator.randrange(256)
        path.write_bytes(content[: generator.choice([None, None, generator.randrange(len(content))])])
        found = read(path)
        if isinstance(found, inputs.Found):
            reasons.add(found.reason)
            assert "Mustermann" not in found.detail
        else:
            assert "Mustermann" not in f"{found.laterality} {found.view} {found.stored.flags}"
    assert len(reasons) > 2


def test_several_pictures_in_a_file(grey, tmp_path):
    picture = Image.fromarray(grey)
    picture.save(tmp_path / "a.tif", save_all=True, append_images=[picture])
    assert reason(tmp_path / "a.tif") == "several-frames"


def test_a_resolution_in_millimetres_needs_a_spacing(grey, tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(grey).save(path)
    found = inputs.identified(inputs.Found(path))
    left_out = inputs.read(found, inputs.Settings("digital", {"mm": 0.4}, None))
    assert left_out.reason == "spacing-unknown"
    assert "--spacing" in left_out.detail
    mammogram = inputs.read(found, inputs.Settings("digital", {"mm": 0.4}, 0.2))
    assert mammogram.stored.geometry.factor == 2


def test_files_are_listed_once_and_sorted(tmp_path):
    for name in ("b.dcm", "a/c.dcm", ".DS_Store"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    found = inputs.listed([tmp_path, tmp_path / "b.dcm"], tmp_path / "out")
    assert [(each.path.name, each.reason) for each in found] == [
        ("c.dcm", ""),
        ("b.dcm", ""),
        ("link", "symbolic-link"),
    ]
    os.mkfifo(tmp_path / "pipe")
    (pipe,) = inputs.listed([tmp_path / "pipe"], tmp_path / "out")
    assert inputs.identified(pipe).reason == "unreadable"
    with pytest.raises(ValueError, match="expected a file or a folder of mammograms, found nothing"):
        inputs.listed([tmp_path / "none"], tmp_path / "out")


def test_an_item_that_ends_its_process_costs_only_itself():
    found = surviving.results(crashes.at_three, range(8), 2, lambda number: -number)
    assert list(found) == [0, 10, 20, -3, 40, 50, 60, 70]


def test_earlier_results_are_no_input(tmp_path):
    (tmp_path / "found" / "overlays").mkdir(parents=True)
    (tmp_path / "found" / "overlays" / "a.png").touch()
    (tmp_path / "a.png").touch()
    found = inputs.listed([tmp_path], tmp_path / "found")
    assert [file.path for file in found] == [tmp_path / "a.png"]
    with pytest.raises(ValueError, match="found no file"):
        inputs.listed([tmp_path], tmp_path)
