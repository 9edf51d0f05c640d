import numpy as np
import pytest
from pydicom import uid
from pydicom.dataset import Dataset
from releases_by_hand import dicom_file

from mammoflow.base.exclusions import REASONS, Excluded
from mammoflow.dicom import grey_values, headers

GREY = np.array([[0, 1, 2], [3, 4, 4095]], dtype=np.uint16)


def gate_of(path):
    return headers.gate(headers.read_header(path))


def test_plain_image_passes_and_is_decoded_unchanged(tmp_path):
    path = dicom_file(tmp_path / "a.dcm", GREY)
    assert gate_of(path) is None
    decoded = grey_values.decode(path)
    assert decoded.dtype == np.uint16
    np.testing.assert_array_equal(decoded, GREY)


def view_code(*codes):
    items = [Dataset() for _ in codes]
    for item, code in zip(items, codes, strict=True):
        item.CodeValue = code
    return items


@pytest.mark.parametrize(
    ("elements", "side", "view"),
    [
        ({}, "", ""),
        ({"ImageLaterality": "L", "ViewPosition": "CC"}, "L", "CC"),
        ({"Laterality": "right", "ViewPosition": "ML"}, "R", ""),
        ({"ImageLaterality": "L", "Laterality": "R", "ViewPosition": "MLO"}, "", "MLO"),
        ({"ViewCodeSequence": view_code("399162004"), "ViewPosition": "MLO"}, "", "CC"),
        ({"ViewCodeSequence": view_code("R-10226")}, "", "MLO"),
        ({"ViewCodeSequence": view_code("R-10226", "R-10242")}, "", ""),
    ],
)
def test_side_and_view_of_a_header(tmp_path, elements, side, view):
    header = headers.read_header(dicom_file(tmp_path / "a.dcm", GREY, **elements))
    assert (headers.side(header), headers.view(header)) == (side, view)


def test_monochrome1_is_inverted_over_the_stored_bits(tmp_path):
    path = dicom_file(
        tmp_path / "a.dcm", GREY, PhotometricInterpretation="MONOCHROME1", BitsStored=12, HighBit=11
    )
    np.testing.assert_array_equal(grey_values.decode(path), 4095 - GREY)


def voi_lut():
    item = Dataset()
    item.LUTDescriptor, item.LUTData = [2, 0, 16], np.array([9, 9], "<u2").tobytes()
    item["LUTDescriptor"].VR, item["LUTData"].VR = "US", "OW"
    return [item]


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize(
    "elements",
    [
        {"WindowCenter": 2, "WindowWidth": 1},
        {"WindowCenter": [2, 3], "WindowWidth": [1, 900]},
        {"WindowCenter": 2, "WindowWidth": 4, "VOILUTFunction": "SIGMOID"},
        {"WindowCenter": 2, "WindowWidth": 0},
        {"WindowCenter": "", "WindowWidth": ""},
        {"VOILUTSequence": voi_lut()},
    ],
)
def test_windows_and_voi_luts_have_no_say(tmp_path, elements, photometric):
    values = {"PhotometricInterpretation": photometric, "BitsStored": 12, "HighBit": 11}
    plain = grey_values.decode(dicom_file(tmp_path / "a.dcm", GREY, **values))
    np.testing.assert_array_equal(plain, GREY if photometric == "MONOCHROME2" else 4095 - GREY)
    np.testing.assert_array_equal(
        grey_values.decode(dicom_file(tmp_path / "b.dcm", GREY, **values, **elements)), plain
    )


@pytest.mark.parametrize(
    ("photometric", "shape", "flags"),
    [
        ("MONOCHROME1", "INVERSE", []),
        ("MONOCHROME2", "IDENTITY", []),
        ("MONOCHROME1", "IDENTITY", ["polarity"]),
        ("MONOCHROME2", "INVERSE", ["polarity"]),
    ],
)
def test_the_presentation_lut_inverts_nothing_a_second_time(tmp_path, photometric, shape, flags):
    path = dicom_file(
        tmp_path / "a.dcm", GREY, PhotometricInterpretation=photometric, PresentationLUTShape=shape
    )
    np.testing.assert_array_equal(
        grey_values.decode(path), GREY if photometric == "MONOCHROME2" else 65535 - GREY
    )
    assert headers.flags(headers.read_header(path)) == flags


@pytest.mark.parametrize("elements", [{"RescaleSlope": 2}, {"RescaleIntercept": -100}])
def test_half_a_rescale_is_refused(tmp_path, elements):
    with pytest.raises(Excluded, match="unreadable: expected both of RescaleSlope and RescaleIntercept"):
        grey_values.decode(dicom_file(tmp_path / "a.dcm", GREY, **elements))


def test_a_fractional_rescale_is_rounded(tmp_path):
    path = dicom_file(tmp_path / "a.dcm", GREY, RescaleSlope=1.3, RescaleIntercept=10)
    np.testing.assert_array_equal(grey_values.decode(path), np.rint(1.3 * GREY + 10))


@pytest.mark.parametrize("slope", [0.3, 0.001, 0])
def test_a_rescale_that_loses_grey_values_is_refused(tmp_path, slope):
    path = dicom_file(tmp_path / "a.dcm", GREY, RescaleSlope=slope, RescaleIntercept=10)
    with pytest.raises(Excluded, match="grey-range: the rescale maps several grey values to one"):
        grey_values.decode(path)


@pytest.mark.parametrize(
    ("photometric", "expected"), [("MONOCHROME2", 2 * GREY), ("MONOCHROME1", 8190 - 2 * GREY)]
)
def test_rescale_is_applied_and_negative_values_are_shifted(tmp_path, photometric, expected):
    path = dicom_file(
        tmp_path / "a.dcm",
        GREY,
        PhotometricInterpretation=photometric,
        BitsStored=12,
        HighBit=11,
        RescaleSlope=2,
        RescaleIntercept=-100,
    )
    decoded = grey_values.decode(path).astype(int)
    np.testing.assert_array_equal(decoded - decoded.min(), expected - expected.min())


def test_modality_lut_is_applied(tmp_path):
    lut = Dataset()
    lut.LUTDescriptor = [4, 0, 16]
    lut.ModalityLUTType = "US"
    lut.LUTData = np.array([10, 20, 40, 80], dtype="<u2").tobytes()
    lut["LUTDescriptor"].VR = "US"
    lut["LUTData"].VR = "OW"
    path = dicom_file(tmp_path / "a.dcm", np.array([[0, 1], [2, 3]], np.uint16), ModalityLUTSequence=[lut])
    np.testing.assert_array_equal(grey_values.decode(path), [[10, 20], [40, 80]])


def test_signed_pixels_start_at_zero(tmp_path):
    path = dicom_file(tmp_path / "a.dcm", np.array([[-5, 0], [7, 1]], np.int16))
    np.testing.assert_array_equal(grey_values.decode(path), [[0, 5], [12, 6]])


def test_grey_values_beyond_16_bits_are_refused(tmp_path):
    path = dicom_file(tmp_path / "a.dcm", GREY, RescaleSlope=100, RescaleIntercept=0)
    with pytest.raises(Excluded, match="grey-range"):
        grey_values.decode(path)


def code_item(code, meaning):
    item = Dataset()
    item.CodeValue, item.CodeMeaning, item.CodingSchemeDesignator = code, meaning, "SCT"
    return item


def view_modifier(code, meaning):
    view = Dataset()
    view.CodeValue, view.ViewModifierCodeSequence = "399162004", [code_item(code, meaning)]
    return [view]


@pytest.mark.parametrize(
    ("elements", "reason"),
    [
        ({"Modality": "CT"}, "not-mammography"),
        ({"Modality": None}, "not-mammography"),
        ({"PresentationIntentType": "FOR PROCESSING"}, "for-processing"),
        ({"SOPClassUID": uid.DigitalMammographyXRayImageStorageForProcessing}, "for-processing"),
        ({"SOPClassUID": uid.BreastTomosynthesisImageStorage}, "tomosynthesis"),
        ({"SOPClassUID": uid.MammographyCADSRStorage}, "structured-report"),
        ({"SOPClassUID": uid.GrayscaleSoftcopyPresentationStateStorage}, "presentation-state"),
        ({"SOPClassUID": uid.MediaStorageDirectoryStorage}, "dicomdir"),
        ({"SOPClassUID": uid.BasicTextSRStorage}, "structured-report"),
        ({"NumberOfFrames": 2}, "several-frames"),
        ({"NumberOfFrames": "2"}, "several-frames"),
        ({"NumberOfFrames": 1}, None),
        ({"SamplesPerPixel": 3}, "several-samples"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "not-grey"),
        ({"ViewCodeSequence": view_modifier("399163009", "Magnification")}, "magnification"),
        ({"ViewCodeSequence": view_modifier("R-102D6", "")}, "magnification"),
        ({"ViewCodeSequence": view_modifier("399055006", "")}, "spot-compression"),
        ({"ViewCodeSequence": view_modifier("R-102D7", "Spot Compression")}, "spot-compression"),
        (
            {"ViewModifierCodeSequence": view_modifier("R-102D7", "")[0].ViewModifierCodeSequence},
            "spot-compression",
        ),
        ({"ViewCodeSequence": view_modifier("399196006", "Implant displaced")}, None),
        ({"ViewCodeSequence": view_modifier("1", "vendor's spot view")}, "spot-compression"),
        ({"EstimatedRadiographicMagnificationFactor": 1.8}, "magnification"),
        ({"Rows": None}, "no-pixels"),
        ({"BitsAllocated": 32}, "no-pixels"),
        ({"PixelData": b""}, "no-pixels"),
        ({"BitsStored": None}, "unreadable"),
        ({"BitsStored": 17, "HighBit": 16}, "unreadable"),
        ({"BitsStored": 12, "HighBit": 10}, "unreadable"),
        ({"PixelRepresentation": None}, "unreadable"),
        ({"Rows": 3}, "truncated"),
        ({"BreastImplantPresent": "YES", "PartialView": "YES"}, None),
        ({"Rows": 60000, "Columns": 60000}, "too-many-pixels"),
        ({"Modality": "MG", "EstimatedRadiographicMagnificationFactor": 1.05}, None),
    ],
)
def test_gate(tmp_path, elements, reason):
    path = dicom_file(tmp_path / "a.dcm", GREY, **elements)
    assert gate_of(path) == reason
    assert reason is None or reason in REASONS
    if reason:
        with pytest.raises(Excluded, match=reason):
            grey_values.decode(path)


def test_deflated_is_refused_by_the_meta_header_alone(tmp_path):
    path = dicom_file(tmp_path / "a.dcm", GREY)
    content = path.read_bytes()
    old, new = b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1.99"
    start = content.index(old)
    length = (start - 2, start)
    changed = content[: length[0]] + len(new).to_bytes(2, "little") + new + b"not a deflated stream"
    group = content.index(b"\x02\x00\x00\x00UL\x04\x00") + 8
    size = int.from_bytes(content[group : group + 4], "little") + 2
    path.write_bytes(changed[:group] + size.to_bytes(4, "little") + changed[group + 4 :])
    with pytest.raises(Excluded, match="deflated"):
        headers.read_header(path)


def test_text_is_not_dicom(tmp_path):
    path = tmp_path / "a.dcm"
    path.write_text("patient SECRET NAME" * 20)
    with pytest.raises(Excluded, match="not-dicom"):
        headers.read_header(path)


@pytest.mark.parametrize("keep", [140, 200, 400])
def test_cut_files_are_excluded_without_names(tmp_path, keep):
    path = dicom_file(tmp_path / "a.dcm", np.zeros((64, 64), np.uint16))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(Excluded) as caught:
        grey_values.decode(path)
    assert "SECRET" not in str(caught.value)


def test_truncated_pixels_are_excluded(tmp_path):
    path = dicom_file(tmp_path / "a.dcm", np.zeros((64, 64), np.uint16), Rows=65)
    with pytest.raises(Excluded, match=r"expected 8320 bytes of pixels, got 8192"):
        grey_values.decode(path)


def test_names_are_never_read(tmp_path):
    header = headers.read_header(dicom_file(tmp_path / "a.dcm", GREY))
    assert "PatientName" not in header
    assert "SECRET" not in str(header)


def raw_spacing(tmp_path, **texts):
    """Spacing of a header whose decimal strings are exactly as written here, right or wrong."""
    digits = dict(zip(texts, "12", strict=False))
    path = dicom_file(tmp_path / "a.dcm", GREY, **{name: [digits[name] * 16] * 2 for name in texts})
    content = path.read_bytes()
    for name, text in texts.items():
        placeholder = "\\".join([digits[name] * 16] * 2)
        content = content.replace(placeholder.encode(), text.encode().ljust(len(placeholder)))
    path.write_bytes(content)
    return headers.spacing(headers.read_header(path))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"0.07\0.07", (0.07, "PixelSpacing", [])),
        (r"0\0", (None, "", ["spacing-invalid"])),
        (r"-0.07\-0.07", (None, "", ["spacing-invalid"])),
        (r"NaN\NaN", (None, "", ["spacing-invalid"])),
        (r"inf\inf", (None, "", ["spacing-invalid"])),
        (r"1e999\1e999", (None, "", ["spacing-invalid"])),
        (r"0,070\0,070", (None, "", ["spacing-invalid"])),
        (r"1E-9\1E-9", (None, "", ["spacing-invalid"])),
        (r"1e200\1e200", (None, "", ["spacing-invalid"])),
        (r"70\70", (None, "", ["spacing-invalid"])),
        (r"0.07", (None, "", ["spacing-invalid"])),
        (r"0.07\0.05", (None, "", ["spacing-not-square"])),
    ],
)
def test_spacing(tmp_path, text, expected):
    assert raw_spacing(tmp_path, PixelSpacing=text) == expected


def test_spacing_at_the_detector_keeps_its_provenance(tmp_path):
    found = raw_spacing(tmp_path, ImagerPixelSpacing=r"0.1\0.1", PixelSpacing=r"0\0")
    assert found == (0.1, "ImagerPixelSpacing", ["spacing-invalid"])


def test_unknown_spacing_is_none(tmp_path):
    assert raw_spacing(tmp_path) == (None, "", [])


def test_flags(tmp_path):
    path = dicom_file(tmp_path / "a.dcm", GREY, BreastImplantPresent="YES", PartialView="YES", BitsStored=12)
    assert headers.flags(headers.read_header(path)) == ["implant", "partial-view", "high-bit"]


@pytest.mark.parametrize("keyword", ["BitsStored", "HighBit"])
def test_several_depths_are_unreadable(tmp_path, keyword):
    header = headers.read_header(dicom_file(tmp_path / "a.dcm", GREY))
    setattr(header, keyword, [12, 12])
    with pytest.raises(Excluded, match=f"unreadable: {keyword} should be one whole number"):
        headers.flags(header)


@pytest.mark.parametrize("keyword", ["Rows", "Columns"])
@pytest.mark.parametrize("size", [2.5, [2, 2]])
def test_a_size_that_is_no_whole_number_is_unreadable(tmp_path, keyword, size):
    header = headers.read_header(dicom_file(tmp_path / "a.dcm", GREY))
    setattr(header, keyword, size)
    assert headers.gate(header) == "unreadable"
