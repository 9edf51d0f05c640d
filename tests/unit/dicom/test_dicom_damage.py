"""Bits that are not part of the pixels, damaged files, and pydicom's collections of invalid files."""

import logging
import traceback
import warnings
from pathlib import Path

import data_store
import numpy as np
import pydicom
import pydicom.data
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import uid
from releases_by_hand import dicom_file
from test_dicom_decoding import LOSSY, compressed, picture

from mammoflow.archives import inbreast
from mammoflow.base.exclusions import Excluded
from mammoflow.dicom import decoding, grey_values, headers

NATIVE = (uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian)


def native(path, pixels, syntax=uid.ExplicitVRLittleEndian, **elements):
    """Write pixels uncompressed, in the byte order of the syntax."""
    order = ">" if syntax == uid.ExplicitVRBigEndian else "<"
    content = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
    return dicom_file(path, pixels, TransferSyntaxUID=syntax, PixelData=content, **elements)


@pytest.fixture(autouse=True, scope="module")
def no_worker_stays():
    yield
    decoding.end_workers()


# Bits


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("syntax", NATIVE)
def test_uncompressed_pixels_are_read_in_their_byte_order(tmp_path, syntax, dtype):
    pixels = picture(dtype, (5, 4))
    np.testing.assert_array_equal(grey_values.decode(native(tmp_path / "a.dcm", pixels, syntax)), pixels)


@pytest.mark.parametrize("shape", [(4, 3), (3, 3)])
def test_words_of_two_pixels_are_swapped(tmp_path, shape):
    """8-bit pixels as OW in big endian (PS3.5 annex A.3); the last word may be half full."""
    pixels = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    words = np.append(pixels, np.zeros(pixels.size % 2, np.uint8)).view(np.uint16).byteswap().tobytes()
    path = native(tmp_path / "a.dcm", pixels, uid.ExplicitVRBigEndian)
    dataset = pydicom.dcmread(path)
    dataset.PixelData = words
    dataset["PixelData"].VR = "OW"
    dataset.save_as(path)
    np.testing.assert_array_equal(grey_values.decode(path), pixels)


@pytest.mark.parametrize("syntax", NATIVE)
def test_overlays_in_the_bits_above_are_no_part_of_a_pixel(tmp_path, syntax):
    pixels = picture()
    overlay = np.where(np.indices(pixels.shape).sum(0) % 2, 0xF000, 0x1000).astype(np.uint16)
    path = native(tmp_path / "a.dcm", pixels | overlay, syntax, BitsStored=12, HighBit=11)
    np.testing.assert_array_equal(grey_values.decode(path), pixels)
    assert headers.flags(headers.read_header(path)) == []


def test_signs_are_those_of_the_stored_bits(tmp_path):
    """12 bits of two's complement, with overlay bits above them."""
    values = np.array([[-2048, -1], [0, 2047]])
    stored = (values & 0x0FFF | 0x5000).astype(np.uint16)
    path = native(tmp_path / "a.dcm", stored, BitsStored=12, HighBit=11, PixelRepresentation=1)
    np.testing.assert_array_equal(grey_values.decode(path), values + 2048)


def test_signed_air_is_dark_too(tmp_path):
    values = np.array([[-2048, -1], [0, 2047]], np.int16)
    elements = {"BitsStored": 12, "HighBit": 11, "PhotometricInterpretation": "MONOCHROME1"}
    path = native(tmp_path / "a.dcm", values, **elements)
    np.testing.assert_array_equal(grey_values.decode(path), 2047 - values)


@pytest.mark.parametrize("is_signed", [0, 1])
def test_stored_bits_at_the_top_are_taken_from_there(tmp_path, is_signed):
    pixels = picture() & 0x07FF
    path = native(tmp_path / "a.dcm", pixels << 4, BitsStored=12, HighBit=15, PixelRepresentation=is_signed)
    np.testing.assert_array_equal(grey_values.decode(path), pixels)
    assert headers.flags(headers.read_header(path)) == ["high-bit"]


def test_stored_bits_that_are_not_where_the_header_says_are_refused(tmp_path):
    path = native(tmp_path / "a.dcm", picture(), BitsStored=12, HighBit=15)
    with pytest.raises(Excluded, match="high-bit"):
        grey_values.decode(path)


# What follows the pixels


def flags_of(path):
    return headers.flags(headers.read_header(path))


@pytest.mark.parametrize("syntax", [*NATIVE, uid.JPEGLosslessSV1])
def test_a_second_object_in_the_file_is_flagged_and_not_read(tmp_path, syntax):
    write = native if syntax in NATIVE else lambda path, pixels, syntax: compressed(path, syntax, pixels)
    first = write(tmp_path / "a.dcm", picture(), syntax)
    second = write(tmp_path / "b.dcm", picture(shape=(32, 16)), syntax)
    assert flags_of(first) == []
    first.write_bytes(first.read_bytes() + second.read_bytes())
    assert flags_of(first) == ["trailing-data"]
    np.testing.assert_array_equal(grey_values.decode(first), picture())


ROWS_AGAIN = b"\x28\x00\x10\x00US\x02\x00\x20\x00"


@pytest.mark.parametrize("trailing", [b"\0", b"\0" * 8, b"\x12\x34" * 30, ROWS_AGAIN])
def test_bytes_after_the_pixels_are_flagged(tmp_path, trailing):
    path = native(tmp_path / "a.dcm", picture())
    path.write_bytes(path.read_bytes() + trailing)
    assert flags_of(path) == ["trailing-data"]


@pytest.mark.parametrize("syntax", NATIVE)
def test_elements_after_the_pixels_are_not(tmp_path, syntax):
    path = native(tmp_path / "a.dcm", picture(), syntax, DataSetTrailingPadding=b"\0" * 10)
    assert flags_of(path) == []


def test_pixels_of_undeclared_frames_are_flagged(tmp_path):
    pixels = picture()
    path = dicom_file(tmp_path / "a.dcm", pixels, PixelData=pixels.tobytes() * 2)
    assert flags_of(path) == ["trailing-data"]
    np.testing.assert_array_equal(grey_values.decode(path), pixels)


def test_an_odd_number_of_bytes_is_padded(tmp_path):
    pixels = picture(np.uint8, (5, 3))
    path = dicom_file(tmp_path / "a.dcm", pixels, PixelData=pixels.tobytes() + b"\0")
    assert flags_of(path) == []
    np.testing.assert_array_equal(grey_values.decode(path), pixels)


def test_compressed_pixels_that_say_they_are_not_are_refused(tmp_path):
    path = compressed(tmp_path / "a.dcm", uid.JPEGLosslessSV1, picture())
    length = len(uid.JPEGLosslessSV1)
    plain = uid.ExplicitVRLittleEndian.encode().ljust(length, b"\0")
    path.write_bytes(path.read_bytes().replace(uid.JPEGLosslessSV1.encode(), plain))
    with pytest.raises(Excluded, match="undecodable: compressed pixels, and only these"):
        grey_values.decode(path)


def test_ten_thousand_fragments_and_no_more_than_the_picture_needs(tmp_path):
    path = compressed(tmp_path / "a.dcm", uid.JPEGLosslessSV1, picture(shape=(4, 4)))
    ((start, length),) = headers.read_header(path).pixels.pieces
    content = path.read_bytes()
    fragment = content[start - 8 : start + length]
    path.write_bytes(content[: start - 8] + fragment * 10_000 + content[start + length :])
    with pytest.raises(Excluded, match=r"undecodable: .* compressed bytes for 32 bytes of pixels"):
        grey_values.decode(path)


# Files that others have collected


FOLDERS = (Path(pydicom.data.__file__).parent, Path(data_store.__file__).parent)
COLLECTION = sorted(path for folder in FOLDERS for path in folder.rglob("*") if path.is_file())
KNOWN = {  # of the gate and of the decoders
    "DICOMDIR": "dicomdir",
    "reportsi.dcm": "structured-report",
    "test-SR.dcm": "structured-report",
    "image_dfl.dcm": "deflated",
    "rtplan_truncated.dcm": "not-mammography",
    "README.txt": "not-dicom",
}
PICTURES = {
    "CT_small.dcm": "ok",
    "JPEG2000.dcm": "ok",
    "JPEG-LL.dcm": "ok",
    "JPEGLSNearLossless_08.dcm": "ok",
    "J2K_pixelrep_mismatch.dcm": "ok",
    "MR_small_RLE.dcm": "ok",
    "MR_small_bigendian.dcm": "ok",
    "MR_small_jp2klossless.dcm": "ok",
    "MR_small_jpeg_ls_lossless.dcm": "ok",
    "MR_truncated.dcm": "truncated",
    "JPGExtended.dcm": "undecodable",
    "JPEG2000-embedded-sequence-delimiter.dcm": "undecodable",
    "badVR.dcm": "unreadable",
    "meta_missing_tsyntax.dcm": "transfer-syntax",
    "emri_small.dcm": "several-frames",
    "examples_palette.dcm": "not-grey",
    "rtdose_1frame.dcm": "no-pixels",
}


@pytest.fixture
def quiet():
    """Their warnings about bad files are pydicom's to make."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def fate(path):
    try:
        decoded = grey_values.decode(path)
    except Excluded as error:
        return error.reason
    assert decoded.dtype == np.uint16
    assert decoded.ndim == 2
    return "ok"


def test_every_collected_file_has_a_reason(quiet):
    assert len(COLLECTION) > 250
    fates = {path.name: fate(path) for path in COLLECTION}
    assert "ok" not in fates.values()  # none is a mammogram
    assert {name: fates[name] for name in KNOWN} == KNOWN


def test_collected_pictures_are_decoded_as_pydicom_decodes_them(quiet, monkeypatch):
    """Mammograms or not; files above 1 MB are left to the ones like them."""
    monkeypatch.setattr(
        headers, "_gate_kind", lambda header: "several-frames" if frames(header) > 1 else None
    )
    fates = {}
    for path in COLLECTION:
        if path.stat().st_size > 2**20:
            continue
        fates[path.name] = fate(path)
        if fates[path.name] == "ok":
            dataset = pydicom.dcmread(path)
            reference = pydicom.pixels.pixel_array(dataset, raw=True, index=0).astype(int)
            reference = np.rint(pydicom.pixels.apply_modality_lut(reference, dataset))
            if dataset.PhotometricInterpretation == "MONOCHROME2":
                reference = reference - min(0, reference.min())
                np.testing.assert_array_equal(grey_values.decode(path), reference, err_msg=path.name)
    assert {name: fates[name] for name in PICTURES} == PICTURES
    assert list(fates.values()).count("ok") > 60


def frames(header):
    return headers.number(header, "NumberOfFrames", 1)


# Damage

GREY = [
    keyword
    for keyword in headers.PIXEL_HEADER
    if keyword.startswith(("Rows", "Col", "Bits", "High", "Pixel", "Photo", "Resc"))
]


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A small object in every transfer syntax that is decoded: its bytes, and a path for damaged ones."""
    folder, objects = tmp_path_factory.mktemp("sound"), {}
    for syntax in headers.SYNTAXES:
        path = folder / f"{syntax}.dcm"
        if syntax in NATIVE:
            native(path, picture(shape=(12, 9)), syntax, BitsStored=12, HighBit=11)
        else:
            compressed(path, syntax, picture(np.uint8 if syntax in LOSSY else np.uint16, (12, 9)))
        objects[syntax] = path, path.read_bytes(), grey_values.decode(path), stated(path)
    return objects


def stated(path):
    """What the header says of the grey values, as it is written."""
    header = headers.read_elements(path, headers.PIXEL_HEADER)
    return {keyword: repr(header.get_item(keyword).value) for keyword in GREY if keyword in header}


@st.composite
def edits(draw):
    """A function from the bytes of a file to damaged bytes, and whether it moves any."""
    kind = draw(st.sampled_from(["flip", "overwrite", "cut", "drop", "insert", "repeat"]))
    place, length = draw(st.floats(0, 1)), draw(st.integers(1, 64))
    change = draw(st.binary(min_size=1, max_size=16))

    def damage(content):
        start = 132 + int(place * (len(content) - 133))
        head, piece, tail = content[:start], content[start : start + length], content[start + length :]
        return {
            "flip": head + bytes([content[start] ^ (change[0] or 1)]) + content[start + 1 :],
            "overwrite": (head + change + content[start + len(change) :])[: len(content)],
            "cut": head,
            "drop": head + tail,
            "insert": head + change + piece + tail,
            "repeat": head + piece + piece + tail,
        }[kind]

    return damage


@pytest.mark.parametrize("syntax", headers.SYNTAXES)
@settings(max_examples=60)
@given(damage=edits())
def test_damage_is_told_or_harmless(sound, syntax, damage):
    """Where the header says the same and no flag is raised, only changed bytes of pixels change pixels.

    A changed bit inside a compressed picture may be any picture: there is no checksum.
    """
    whole, content, grey, said = sound[syntax]
    damaged = damage(content)
    path = whole.with_suffix(".damaged")
    path.write_bytes(damaged)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            decoded, flags = grey_values.decode(path), flags_of(path)
        except Excluded:
            return
        if "trailing-data" in flags or stated(path) != said:
            return
    assert decoded.shape == grey.shape
    wrong = np.flatnonzero(decoded != grey)
    if wrong.size:
        pieces = headers.read_header(whole).pixels.pieces
        assert len(damaged) == len(content)
        changed = {place for place in range(len(content)) if damaged[place] != content[place]}
        assert changed & {place for start, length in pieces for place in range(start, start + length)}
        if syntax in NATIVE:
            ((start, _),) = pieces
            assert {*wrong} <= {(place - start) // 2 for place in changed}


# Privacy


def test_nothing_that_names_a_patient_gets_out(tmp_path, caplog, capfd):
    """Names in elements, private ones too, in values that cannot be read, and in the name of the file."""
    name = b"SECRET"
    sound = dicom_file(
        tmp_path / "SECRET^NAME_19500101.dcm",
        picture(shape=(12, 9)),
        PatientBirthDate="19500101",
        AccessionNumber="SECRET",
        StudyDescription="SECRET",
        OtherPatientNames="SECRET",
        NumberOfFrames="1",
        EstimatedRadiographicMagnificationFactor="1.000000",
        PixelSpacing=["0.100", "0.100"],
        RescaleSlope="1.000000",
        RescaleIntercept="0.000000",
    )
    content = sound.read_bytes()
    seen = set()
    with warnings.catch_warnings(record=True) as warned, caplog.at_level(logging.DEBUG):
        warnings.simplefilter("always")
        for start in range(132, len(content) - len(name), 2):
            sound.write_bytes(content[:start] + name + content[start + len(name) :])
            try:
                header = headers.read_header(sound)
                seen.update([str(headers.gate(header)), *map(str, headers.spacing(header))])
                grey_values.decode(sound)
                seen.update(headers.flags(header))
            except Excluded:
                seen.add(traceback.format_exc())
    out, err = capfd.readouterr()
    told = " ".join([*seen, *(str(each.message) for each in warned), caplog.text, out, err])
    assert len(seen) > 5
    assert "SECRET" not in told
    assert "19500101" not in told


def test_an_index_of_files_that_name_patients_names_them_in_paths_alone(tmp_path):
    """The real names of INbreast, one without; damaged, gated and sound objects."""
    name = "{}_0123456789abcdef_MG_L_CC_ANON.dcm"
    folder = tmp_path / "AllDICOMs"
    elements = {"PatientBirthDate": "19500101", "AccessionNumber": "SECRET", "PatientID": "SECRET"}
    dicom_file(folder / name.format(1), picture(), **elements)
    dicom_file(folder / name.format(2), picture(), Modality="SECRET", **elements)
    dicom_file(folder / name.format(3), picture(), BitsStored=13, HighBit=5, **elements)
    dicom_file(folder / "SECRET_NAME.dcm", picture(), **elements)
    cut = dicom_file(folder / name.format(4), picture(), **elements)
    cut.write_bytes(cut.read_bytes()[:-5000])
    broken = dicom_file(folder / name.format(5), picture(), NumberOfFrames="1", **elements)
    broken.write_bytes(broken.read_bytes().replace(b"IS\x02\x001 ", b"IS\x0a\x00SECRET1950"))
    rows = [f"removed;removed;L;CC;200801;{number};2;1" for number in range(1, 6)]
    (tmp_path / "INbreast.csv").write_text(
        "\n".join(["Patient ID;Patient age;Laterality;View;Acquisition date;File Name;ACR;Bi-Rads", *rows])
    )
    index = inbreast.index(tmp_path, 1)
    assert sorted(index.excluded["reason"]) == [
        "name",
        "not-mammography",
        "truncated",
        "unreadable",
        "unreadable",
    ]
    for table in (index.images, index.excluded, index.lesions, index.reconciliation):
        text = table.drop(columns="path", errors="ignore").to_csv()
        assert "SECRET" not in text
        assert "1950" not in text
