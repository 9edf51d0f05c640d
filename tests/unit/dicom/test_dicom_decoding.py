"""Compressed pixels: all transfer syntaxes with independent encoders, truncated pictures, bombs, workers."""

import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import gdcm
import numpy as np
import pydicom
import pytest
from openjpeg.utils import encode_array
from pydicom import uid
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels import get_decoder
from releases_by_hand import dicom_file, recompress

from mammoflow.base.exclusions import Excluded
from mammoflow.dicom import codestreams, decoding, grey_values, headers

SCRIPTS = Path(decoding.__file__).parents[2]
GDCM = {
    uid.RLELossless: gdcm.TransferSyntax.RLELossless,
    uid.JPEGBaseline8Bit: gdcm.TransferSyntax.JPEGBaselineProcess1,
    uid.JPEGExtended12Bit: gdcm.TransferSyntax.JPEGExtendedProcess2_4,
    uid.JPEGLossless: gdcm.TransferSyntax.JPEGLosslessProcess14,
    uid.JPEGLosslessSV1: gdcm.TransferSyntax.JPEGLosslessProcess14_1,
    uid.JPEGLSLossless: gdcm.TransferSyntax.JPEGLSLossless,
    uid.JPEGLSNearLossless: gdcm.TransferSyntax.JPEGLSNearLossless,
    uid.JPEG2000Lossless: gdcm.TransferSyntax.JPEG2000Lossless,
    uid.JPEG2000: gdcm.TransferSyntax.JPEG2000,
}
LOSSY = (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit)  # of these encoders
TWELVE_BITS = [syntax for syntax in GDCM if syntax not in LOSSY]
CODESTREAMS = [syntax for syntax in GDCM if syntax != uid.RLELossless]


def picture(dtype=np.uint16, shape=(64, 48)):
    """A slope with noise, of 12 or 8 bits."""
    noise = np.random.default_rng(0).integers(0, 50, shape)
    grey = np.add.outer(30 * np.arange(shape[0]), 20 * np.arange(shape[1])) + noise
    return (grey if dtype == np.uint16 else grey // 16).astype(dtype)


def compressed(path, syntax, pixels, **elements):
    """Write pixels in a transfer syntax, by GDCM."""
    depth = {"BitsStored": 12, "HighBit": 11} if pixels.dtype == np.uint16 else {}
    native = dicom_file(path.with_suffix(".native"), pixels, **{**depth, **elements})
    return recompress(native, path, GDCM[syntax])


def codestream_of(path):
    return next(generate_frames(pydicom.dcmread(path).PixelData, number_of_frames=1))


def with_fragments(path, fragments, **elements):
    """Put other fragments and elements into a compressed file."""
    dataset = pydicom.dcmread(path)
    items = b"".join(
        struct.pack("<HHL", 0xFFFE, 0xE000, len(item)) + item for item in (b"", *map(even, fragments))
    )
    dataset.PixelData = items
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path)
    return path


def even(fragment):
    return fragment + b"\0" * (len(fragment) % 2)


@pytest.fixture(autouse=True, scope="module")
def no_worker_stays():
    yield
    decoding.end_workers()


@pytest.mark.parametrize("syntax", decoding.PLUGINS)
def test_every_pinned_decoder_is_installed(syntax):
    assert decoding.PLUGINS[syntax] in get_decoder(syntax).available_plugins


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("syntax", TWELVE_BITS)
def test_lossless_pictures_are_decoded_exactly(tmp_path, syntax, dtype):
    pixels = picture(dtype)
    np.testing.assert_array_equal(grey_values.decode(compressed(tmp_path / "a.dcm", syntax, pixels)), pixels)


@pytest.mark.parametrize("syntax", LOSSY)
def test_lossy_pictures_are_decoded_nearly(tmp_path, syntax):
    pixels = picture(np.uint8)
    decoded = grey_values.decode(compressed(tmp_path / "a.dcm", syntax, pixels))
    assert np.abs(decoded.astype(int) - pixels).max() <= 1


def test_twelve_bits_of_jpeg_extended_are_refused(tmp_path):
    path = compressed(tmp_path / "a.dcm", uid.JPEGExtended12Bit, picture())
    with pytest.raises(Excluded, match=r"undecodable: the JPEG Extended .* NotImplementedError"):
        grey_values.decode(path)


@pytest.mark.parametrize("syntax", [uid.RLELossless, uid.JPEGLSLossless, uid.JPEG2000Lossless])
def test_pictures_of_other_encoders_are_decoded_exactly(tmp_path, syntax):
    pixels = picture()
    path = compressed(tmp_path / "a.dcm", syntax, pixels)
    if syntax == uid.JPEG2000Lossless:
        frame = encode_array(pixels)
    else:  # pydicom's own RLE, and pyjpegls
        dataset = pydicom.dcmread(tmp_path / "a.native")
        dataset.compress(syntax)
        frame = next(generate_frames(dataset.PixelData, number_of_frames=1))
    np.testing.assert_array_equal(grey_values.decode(with_fragments(path, [frame])), pixels)


@pytest.mark.parametrize("syntax", [uid.RLELossless, uid.JPEGLosslessSV1, uid.JPEG2000Lossless])
def test_signed_pictures_start_at_zero(tmp_path, syntax):
    pixels = picture().astype(np.int16) - 1000
    path = compressed(tmp_path / "a.dcm", syntax, pixels, BitsStored=16, HighBit=15)
    np.testing.assert_array_equal(grey_values.decode(path), pixels - pixels.min())


@pytest.mark.parametrize("syntax", CODESTREAMS)
def test_a_picture_may_lie_in_several_fragments(tmp_path, syntax):
    path = compressed(tmp_path / "a.dcm", syntax, picture(np.uint8))
    decoded, frame = grey_values.decode(path), codestream_of(path)
    with_fragments(path, [frame[:100], frame[100:600], frame[600:]])
    np.testing.assert_array_equal(grey_values.decode(path), decoded)


@pytest.mark.parametrize("syntax", GDCM)
def test_no_decoder_hands_over_a_cut_picture(tmp_path, syntax):
    path = compressed(tmp_path / "a.dcm", syntax, picture(np.uint8))
    frame, fates = codestream_of(path), set()
    for keep in np.linspace(2, len(frame) - 4, 12).astype(int) // 2 * 2:
        with pytest.raises(Excluded) as caught:
            grey_values.decode(with_fragments(path, [frame[:keep]]))
        fates.add(caught.value.reason)
    assert fates == {"undecodable"}


@pytest.mark.parametrize("syntax", CODESTREAMS)
def test_no_decoder_fills_in_what_is_cut_out(tmp_path, syntax):
    path = compressed(tmp_path / "a.dcm", syntax, picture(np.uint8))
    frame = codestream_of(path)
    for start in np.linspace(400, len(frame) - 250, 6).astype(int):
        with pytest.raises(Excluded, match="undecodable"):
            grey_values.decode(with_fragments(path, [frame[:start] + frame[start + 200 :]]))


@pytest.mark.parametrize("syntax", GDCM)
def test_a_second_picture_is_not_passed_over(tmp_path, syntax):
    path = compressed(tmp_path / "a.dcm", syntax, picture(np.uint8))
    frame = codestream_of(path)
    with pytest.raises(Excluded, match="undecodable"):
        grey_values.decode(with_fragments(path, [frame, frame]))


@pytest.mark.parametrize("surplus", [b"\x00\x07", b"\xff\x07"])
def test_a_segment_that_holds_too_much_is_refused(tmp_path, surplus):
    """A literal byte, or a run of two, beyond the picture: something was inserted before it."""
    path = compressed(tmp_path / "a.dcm", uid.RLELossless, picture(np.uint8))
    frame = codestream_of(path)
    with pytest.raises(Excluded, match="undecodable: the RLE Lossless decoder"):
        grey_values.decode(with_fragments(path, [frame + surplus]))


def test_a_table_of_two_frames_is_several_frames(tmp_path):
    path = compressed(tmp_path / "a.dcm", uid.JPEGLosslessSV1, picture())
    dataset = pydicom.dcmread(path)
    dataset.PixelData = encapsulate([codestream_of(path)] * 2)
    dataset.save_as(path)
    assert headers.gate(headers.read_header(path)) == "several-frames"


@pytest.mark.parametrize("syntax", CODESTREAMS)
@pytest.mark.parametrize("elements", [{"Rows": 32}, {"Rows": 48, "Columns": 64}, {"Rows": 96, "Columns": 32}])
def test_another_size_than_the_header_s_is_refused(tmp_path, syntax, elements):
    path = compressed(tmp_path / "a.dcm", syntax, picture(np.uint8))
    with pytest.raises(Excluded, match=r"undecodable: rows and columns: expected .* has \(64, 48\)"):
        grey_values.decode(with_fragments(path, [codestream_of(path)], **elements))


@pytest.mark.parametrize(
    ("elements", "reason"),
    [
        ({"BitsStored": 10, "HighBit": 9}, "undecodable: expected samples of 10 stored bits"),
        ({"BitsStored": 10, "HighBit": 15}, "high-bit: 10 bits stored up to bit 15, 12 compressed"),
        ({"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}, "undecodable: 8 bits stored, 12 compressed"),
        (
            {"BitsStored": 16, "HighBit": 15, "PixelRepresentation": 1},
            "undecodable: 16 bits stored, 12 compressed",
        ),
    ],
)
def test_samples_that_contradict_the_header_are_refused(tmp_path, elements, reason):
    path = compressed(tmp_path / "a.dcm", uid.JPEG2000Lossless, picture())
    with pytest.raises(Excluded, match=reason):
        grey_values.decode(with_fragments(path, [encode_array(picture())], **elements))


def test_a_misplaced_high_bit_moves_no_bit_of_a_codestream(tmp_path):
    path = compressed(tmp_path / "a.dcm", uid.JPEG2000Lossless, picture())
    with_fragments(path, [encode_array(picture())], HighBit=15)
    assert headers.flags(headers.read_header(path)) == ["high-bit"]
    np.testing.assert_array_equal(grey_values.decode(path), picture())


def test_missing_tiles_are_not_filled_in():
    frame = encode_array(picture())
    size = struct.pack(">8I", 6400, 6400, 0, 0, 48, 64, 0, 0)
    with pytest.raises(Excluded, match="tiles of the compressed picture are missing"):
        codestreams.describe(frame[:8] + size + frame[40:], uid.JPEG2000Lossless)


def test_padding_may_follow_a_codestream_and_nothing_else():
    frame = encode_array(picture())
    expected = codestreams.Description(rows=64, columns=48, components=1, precision=12)
    for padding in (b"", b"\0", b"\xff", b"\0\0\0\0"):
        assert codestreams.describe(frame + padding, uid.JPEG2000Lossless) == expected
    with pytest.raises(Excluded, match="bytes follow the end"):
        codestreams.describe(frame + b"x", uid.JPEG2000Lossless)


# Bombs


def rle_bomb(rows, columns, packed_bytes):
    """The second of two segments unpacks to 64 times its bytes."""
    head = struct.pack("<16L", 2, 64, 64, *[0] * 13)
    return decoding.Frame(uid.RLELossless, head + b"\x81\xff" * (packed_bytes // 2), rows, columns, 16)


def test_a_bomb_ends_its_worker_and_nothing_else(monkeypatch):
    """25 MB that unpack to 1.6 GB, against a limit that is soon reached."""
    decoding.end_workers()
    monkeypatch.setattr(decoding, "MEMORY_BYTES", 2**29)
    with pytest.raises(Excluded, match="decoder-memory: expected at most 536870912 bytes"):
        decoding.decode(rle_bomb(3400, 4000, 25_000_000))
    monkeypatch.undo()
    assert decoding.MEMORY_BYTES < 2**31
    samples = decoding.decode(decoding.Frame(uid.JPEG2000Lossless, encode_array(picture()), 64, 48, 16))
    np.testing.assert_array_equal(samples.values, picture())


BOMBS = """
import json, re, resource, sys
from pathlib import Path
from mammoflow.base.exclusions import Excluded
from mammoflow.dicom import grey_values, headers


def peak():
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    if sys.platform == "darwin":
        return max(children, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    # Not ru_maxrss: it begins with that of the process that started this one.
    own = re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())
    return 1024 * max(children, int(own[1]))


results = {}
for path in map(Path, sys.argv[1:]):
    for step in (headers.read_header, grey_values.decode):
        try:
            step(path)
        except Excluded as error:
            results[f"{path.stem} {step.__name__}"] = error.reason
print(json.dumps([results, peak()]))
"""


def deflated_bomb(path):
    plain = dicom_file(path, picture(), TransferSyntaxUID=uid.ExplicitVRLittleEndian)
    meta = pydicom.filereader.read_file_meta_info(plain)
    meta.TransferSyntaxUID = uid.DeflatedExplicitVRLittleEndian
    packer = zlib.compressobj(level=1, wbits=-zlib.MAX_WBITS)
    chunk = bytes(2**24)
    body = b"".join(packer.compress(chunk) for _ in range(24)) + packer.flush()  # 0.4 GB
    with path.open("wb") as file:
        file.write(b"\0" * 128 + b"DICM")
        pydicom.filewriter.write_file_meta_info(file, meta)
        file.write(body)
    return path


def sparse(path, at, size):
    """Lengthen a file, without taking room on the disk, for the value that begins at a place."""
    content = path.read_bytes()
    path.write_bytes(content[: at - 4] + struct.pack("<L", size - at) + content[at:])
    os.truncate(path, size)
    return path


def test_bombs_need_little_memory(tmp_path):
    giant = 3 * 2**30
    pixels = dicom_file(tmp_path / "pixels.dcm", picture())
    ((start, _),) = headers.read_header(pixels).pixels.pieces
    fragment = compressed(tmp_path / "fragment.dcm", uid.JPEGLosslessSV1, picture())
    ((item, _),) = headers.read_header(fragment).pixels.pieces
    header = dicom_file(tmp_path / "header.dcm", picture(), RescaleType="X" * 16)
    value = header.read_bytes().index(b"X" * 16)
    content = header.read_bytes()
    header.write_bytes(content[: value - 4] + b"UN\0\0" + b"\0\0\0\0" + content[value:])
    bombs = [
        sparse(pixels, start, giant),
        sparse(fragment, item, giant),
        sparse(header, value + 4, giant),
        deflated_bomb(tmp_path / "deflated.dcm"),
    ]
    run = subprocess.run(
        [sys.executable, "-c", BOMBS, *bombs],
        env={**os.environ, "PYTHONPATH": str(SCRIPTS)},
        capture_output=True,
        text=True,
        check=True,
    )
    results, peak = json.loads(run.stdout)
    assert results == {
        "fragment decode": "truncated",
        "header decode": "unreadable",
        "deflated read_header": "deflated",
        "deflated decode": "deflated",
    }
    assert peak < 2**28


# Workers


class Abort:
    """Unpickled, it ends the process as a failed assertion in native code does."""

    def __reduce__(self):
        return os.abort, ()


def test_a_crash_ends_the_worker_and_excludes_the_picture():
    with pytest.raises(Excluded, match="decoder-crashed: the decoder ended with SIGABRT"):
        decoding.decode(Abort())
    frame = decoding.Frame(uid.JPEG2000Lossless, encode_array(picture()), 64, 48, 16)
    np.testing.assert_array_equal(decoding.decode(frame).values, picture())


def test_a_decoder_that_never_returns_is_ended(monkeypatch):
    monkeypatch.setattr(decoding, "SECONDS", 0.05)
    with pytest.raises(Excluded, match=r"decoder-timeout: expected at most 0\.05 s"):
        decoding.decode(rle_bomb(3400, 4000, 20_000_000))


def test_a_worker_that_died_while_idle_is_replaced():
    frame = decoding.Frame(uid.JPEG2000Lossless, encode_array(picture()), 64, 48, 16)
    decoding.decode(frame)
    decoding._idle[-1].process.send_signal(signal.SIGKILL)
    decoding._idle[-1].process.wait()
    np.testing.assert_array_equal(decoding.decode(frame).values, picture())


def test_a_worker_ends_with_its_input():
    """As it does when the stage is killed."""
    worker = decoding._Worker()
    worker.process.stdin.close()
    assert worker.process.wait(timeout=60) == 0
    worker.end()


def test_an_installation_without_workers_is_no_fault_of_the_picture(monkeypatch):
    decoding.end_workers()
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    with pytest.raises(RuntimeError, match="worker process to start, got one that ended with exit code 1"):
        decoding.decode(rle_bomb(2, 2, 2))


def test_threads_share_nothing(tmp_path):
    pictures = [np.roll(picture(), shift, axis=0) for shift in range(12)]
    paths = [
        compressed(tmp_path / f"{number}.dcm", uid.JPEG2000Lossless, pixels)
        for number, pixels in enumerate(pictures)
    ]
    with ThreadPoolExecutor(3) as threads:
        for pixels, decoded in zip(pictures, threads.map(grey_values.decode, paths), strict=True):
            np.testing.assert_array_equal(decoded, pixels)
    assert 1 <= len(decoding._idle) <= 4


def test_a_script_without_guard_is_run_once_and_beside_a_folder_named_dl(tmp_path):
    """As under Snakemake; python-gdcm would take that folder for a module."""
    compressed(tmp_path / "a.dcm", uid.JPEGLosslessSV1, picture())
    (tmp_path / "dl").mkdir()
    script = tmp_path / "script.py"
    script.write_text(
        "print('once')\nfrom pathlib import Path\nfrom mammoflow.dicom import grey_values\n"
        "print(grey_values.decode(Path(__file__).with_name('a.dcm')).sum())\n"
    )
    run = subprocess.run(
        [sys.executable, script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(SCRIPTS)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split() == ["once", str(picture().astype(int).sum())]
