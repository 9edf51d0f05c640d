"""Pictures that are read as one grey image, and those that are left out with a reason."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from mammoflow.archives import picture_files
from mammoflow.base.exclusions import Excluded

GREY = np.arange(1200, dtype=np.uint16).reshape(40, 30)
EIGHT = (GREY % 256).astype(np.uint8)


def reason(path, function=picture_files.read):
    with pytest.raises(Excluded) as caught:
        function(path)
    return caught.value.reason


@pytest.mark.parametrize("pixels", [GREY, EIGHT], ids=["16 bits", "8 bits"])
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_grey_pictures(tmp_path, pixels, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(pixels).save(path)
    np.testing.assert_array_equal(picture_files.read(path), pixels)
    assert picture_files.read(path).dtype == np.uint16
    assert picture_files.shape(path) == (40, 30)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P"])
def test_grey_pictures_with_colours_a_palette_or_an_alpha_channel(tmp_path, mode):
    path = tmp_path / "a.png"
    Image.fromarray(EIGHT).convert(mode).save(path)
    np.testing.assert_array_equal(picture_files.read(path), EIGHT)


def coloured(mode):
    colours = np.dstack([EIGHT, EIGHT // 2, 255 - EIGHT])
    return Image.fromarray(colours).convert(mode)


def pages(path):
    Image.fromarray(GREY).save(path, "TIFF", save_all=True, append_images=[Image.fromarray(GREY)])


def bomb(path):
    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 10**7)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + parts)


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def deep_png(colour_type, samples):
    """Writes 16 bits a sample, whose upper 8 bits are grey."""

    def write(path):
        pixels = np.full((4, 5, samples), 0x1200, ">u2") + np.arange(samples, dtype=">u2")
        lines = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
        parts = [(b"IHDR", struct.pack(">IIBBBBB", 5, 4, 16, colour_type, 0, 0, 0))]
        parts += [(b"IDAT", zlib.compress(lines)), (b"IEND", b"")]
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts))

    return write


def deep_tiff(planes):
    """Writes RGB of 16 bits a sample, uncompressed, whose upper 8 bits are grey."""

    def write(path):
        pixels = np.full((4, 5, 3), 0x1200, "<u2").tobytes()
        tags = {256: 5, 257: 4, 258: 182, 259: 1, 262: 2, 273: 188, 277: 3, 278: 4, 279: 120, 284: planes}
        counts = dict.fromkeys(tags, 1) | {258: 3}
        if planes == 2:
            tags |= {273: 308, 279: 320}
            counts |= {273: 3, 279: 3}
        entries = b"".join(
            struct.pack("<HHII", tag, 4 if planes == 2 and tag in (273, 279) else 3, counts[tag], value)
            for tag, value in tags.items()
        )
        head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)
        head = head.ljust(182, b"\0") + struct.pack("<HHH", 16, 16, 16)
        offsets = struct.pack("<6I", 188, 228, 268, 40, 40, 40)
        path.write_bytes(head + pixels + offsets)

    return write


def turned(kind, orientation):
    def write(path):
        exif = Image.Exif()
        exif[274] = orientation
        Image.fromarray(EIGHT).save(path, kind, exif=exif)

    return write


def cut(path):
    Image.fromarray(GREY).save(path, "PNG")
    path.write_bytes(path.read_bytes()[:-200])


HOSTILE = {
    "colour": (lambda path: coloured("RGB").save(path, "PNG"), "not-grey"),
    "coloured palette": (lambda path: coloured("P").save(path, "PNG"), "not-grey"),
    "CMYK": (lambda path: coloured("CMYK").save(path, "JPEG"), "not-grey"),
    "1 bit": (lambda path: Image.fromarray(EIGHT > 99).save(path, "PNG"), "not-grey"),
    "floating point": (lambda path: Image.fromarray(GREY.astype(np.float32)).save(path, "TIFF"), "not-grey"),
    "32 bits": (lambda path: Image.fromarray(GREY.astype(np.int32) * 100).save(path, "TIFF"), "grey-range"),
    "colour of 16 bits": (deep_png(2, 3), "not-grey"),
    "alpha of 16 bits": (deep_png(4, 2), "not-grey"),
    "colour and alpha of 16 bits": (deep_png(6, 4), "not-grey"),
    "TIFF in colour of 16 bits": (deep_tiff(1), "not-grey"),
    "TIFF in planes of 16 bits": (deep_tiff(2), "not-grey"),
    "turned JPEG": (turned("JPEG", 6), "orientation"),
    "turned TIFF": (turned("TIFF", 3), "orientation"),
    "turned PNG": (turned("PNG", 8), "orientation"),
    "several pages": (pages, "several-frames"),
    "a bomb": (bomb, "too-many-pixels"),
    "a cut file": (cut, "undecodable"),
    "a signature alone": (lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n"), "undecodable"),
    "another format": (lambda path: Image.fromarray(EIGHT).save(path, "BMP"), "undecodable"),
    "no picture": (lambda path: path.write_bytes(b"no picture at all"), "undecodable"),
    "nothing": (lambda path: path.write_bytes(b""), "undecodable"),
    "no file": (lambda path: None, "unreadable"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_pictures_that_cannot_be_used(tmp_path, name):
    make, expected = HOSTILE[name]
    make(tmp_path / "a")
    assert reason(tmp_path / "a") == expected


def test_16_bits_in_colour_are_named(tmp_path):
    deep_png(6, 4)(tmp_path / "a")
    with pytest.raises(Excluded, match="16 bits in colour or with alpha cannot be read"):
        picture_files.read(tmp_path / "a")


@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "PNG"])
def test_an_upright_picture_may_say_so(tmp_path, kind):
    turned(kind, 1)(tmp_path / "a")
    assert picture_files.read(tmp_path / "a").shape == GREY.shape


def test_tags_that_cannot_be_read_say_nothing(tmp_path):
    Image.fromarray(EIGHT).save(tmp_path / "a", "PNG", exif=b"Exif\0\0no tags at all")
    np.testing.assert_array_equal(picture_files.read(tmp_path / "a"), EIGHT)


@pytest.mark.parametrize(
    "name",
    [
        "1 bit",
        "floating point",
        "colour of 16 bits",
        "TIFF in colour of 16 bits",
        "turned JPEG",
        "turned TIFF",
        "turned PNG",
        "several pages",
        "a bomb",
        "no picture",
        "no file",
    ],
)
def test_what_the_header_shows_is_refused_without_the_pixels(tmp_path, name):
    make, expected = HOSTILE[name]
    make(tmp_path / "a")
    assert reason(tmp_path / "a", picture_files.shape) == expected


def test_the_kind_of_a_file_is_that_of_its_bytes(tmp_path):
    path = tmp_path / "a.dcm"
    Image.fromarray(EIGHT).save(path, "PNG")
    assert picture_files.kind(path) == "PNG"
    path.write_bytes(bytes(128) + b"DICM")
    assert picture_files.kind(path) == picture_files.DICOM
    path.write_bytes(b"BM")
    assert reason(path, picture_files.kind) == "not-dicom"
    path.write_bytes(b"")
    assert reason(path, picture_files.kind) == "unreadable"
