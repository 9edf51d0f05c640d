import plistlib
import shutil
from collections import Counter
from pathlib import Path

import inbreast_whole
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from releases_by_hand import dicom_file, half_ellipse, plist

from mammoflow.archives import inbreast
from mammoflow.base.contracts.index import EXCLUDED, IMAGES, LESIONS, RECONCILIATION
from mammoflow.base.exclusions import Excluded
from mammoflow.dicom import headers

HEADER = "Patient ID;Patient age;Laterality;View;Acquisition date;File Name;ACR;Bi-Rads"
SPREADSHEET = Path(__file__).resolve().parents[2] / "data" / "inbreast" / "INbreast.xls"
SHAPE = (64, 48)
A, B = "0123456789abcdef", "fedcba9876543210"


def square(x, y, size=8):
    return [(x, y), (x + size, y), (x + size, y + size), (x, y + size)]


def add(root, image_id, patient=A, side="L", view="CC", rois=None, **elements):
    name = f"{image_id}_{patient}_MG_{side}_{view}_ANON.dcm"
    dicom_file(root / "AllDICOMs" / name, half_ellipse(SHAPE), PatientID=patient, **elements)
    if rois is not None:
        plist(root / "AllXML" / f"{image_id}.xml", rois)


def table(root, birads):
    rows = [
        f"removed;removed;L;CC;201001;{image_id};          ;{score}" for image_id, score in birads.items()
    ]
    (root / "INbreast.csv").write_bytes("\r\n".join([HEADER, *rows, ""]).encode())


@pytest.fixture
def root(tmp_path):
    add(tmp_path, 101, rois=[("Calcification", [(1, 1)]), ("Mass", square(4, 30)), ("", [(2, 2)])])
    add(
        tmp_path,
        102,
        view="ML",
        side="R",
        rois=[("Mass ", square(4, 30)), ("Mass", square(10, 34)), ("Mass", square(30, 4))],
    )
    add(tmp_path, 103, patient=B, view="FB")
    add(tmp_path, 104, patient=B)
    add(tmp_path, 105, patient=B, rois=[("Mass", [(1, 1), (2, 2)])])
    add(tmp_path, 106, patient=B, rois=[("Mass", square(4, 30)), ("Mass", square(900, 900))])
    add(tmp_path, 107, patient=B, rois=[], Modality="OT")
    add(tmp_path, 108, patient=B, rois=[], ImagerPixelSpacing=["0.085", "0.085"])
    add(tmp_path, 109, patient=B)
    (tmp_path / "AllXML" / "109.xml").write_text("<plist><dict>")
    (tmp_path / "AllDICOMs" / "secret name.dcm").write_text("x")
    (tmp_path / "AllDICOMs" / "._101.dcm").write_text("x")
    (tmp_path / "AllXML" / "999.xml").write_text("x")
    table(
        tmp_path,
        {101: "4a", 102: "5", 103: "1", 104: "2", 105: "5", 106: "3", 107: 1, 108: 1, 109: 2, 110: 2},
    )
    return tmp_path


def test_index(root):
    index = inbreast.index(root, threads=2)
    for table in (IMAGES, LESIONS, EXCLUDED, RECONCILIATION):
        table.check(getattr(index, table.name))
    images = index.images.set_index("image_id")
    assert list(images.index) == ["101", "102", "103", "108"]
    assert images["view"].tolist() == ["CC", "MLO", "FB", "CC"]
    assert images["laterality"].tolist() == ["L", "R", "L", "L"]
    assert images["patient_id"].tolist() == [A, A, B, B]
    assert images["spacing_mm"].tolist() == [0.07] * 3 + [0.085]
    assert images["spacing_source"].tolist() == ["release"] * 3 + ["ImagerPixelSpacing"]
    assert images["flags"].tolist() == ["", "laterality-table", "", ""]
    assert set(index.lesions["image_id"]) == {"101", "102"}
    excluded = set(zip(index.excluded["path"], index.excluded["reason"], strict=True))
    assert excluded == {
        (f"AllDICOMs/104_{B}_MG_L_CC_ANON.dcm", "missing-xml"),
        (f"AllDICOMs/105_{B}_MG_L_CC_ANON.dcm", "lesion-excluded"),
        ("AllXML/105.xml#0", "contour-points"),
        ("AllXML/105.xml", "image-excluded"),
        (f"AllDICOMs/106_{B}_MG_L_CC_ANON.dcm", "lesion-excluded"),
        ("AllXML/106.xml", "image-excluded"),
        ("AllXML/106.xml#0", "image-excluded"),
        ("AllXML/106.xml#1", "contour-outside"),
        (f"AllDICOMs/107_{B}_MG_L_CC_ANON.dcm", "not-mammography"),
        ("AllXML/107.xml", "image-excluded"),
        (f"AllDICOMs/109_{B}_MG_L_CC_ANON.dcm", "bad-xml"),
        ("AllXML/109.xml", "image-excluded"),
        ("AllXML/999.xml", "missing-image"),
        ("AllDICOMs/secret name.dcm", "name"),
        ("110", "missing-file"),
    }


def test_both_counts_are_reconciled(root):
    rows = inbreast.index(root, threads=1).reconciliation.set_index("quantity")
    assert rows.loc["contours", ["paper", "found"]].tolist() == [116, 4]
    assert rows.loc["lesions", ["paper", "found", "difference"]].tolist() == [112, 3, -109]
    assert rows.loc["images without masses", "found"] == 2
    assert rows.loc["regions ignored: Calcification", "found"] == 1
    assert rows.loc["regions ignored: (empty)", "found"] == 1


def test_contours_with_overlapping_boxes_are_one_lesion(root):
    lesions = inbreast.index(root, threads=1).lesions
    of_second = lesions[lesions["image_id"] == "102"]
    assert of_second["source"].tolist() == ["AllXML/102.xml#0+1", "AllXML/102.xml#2"]
    union = inbreast.lesion_mask(root, "AllXML/102.xml#0+1", SHAPE)
    single = inbreast.lesion_mask(root, "AllXML/102.xml#0", SHAPE)
    assert np.count_nonzero(union) == of_second["area_px"].iloc[0] > np.count_nonzero(single)
    y0, x0, y1, x1 = of_second[["y0", "x0", "y1", "x1"]].iloc[0]
    assert (y0, x0) == (30, 4)
    assert (y1, x1) == (43, 19)


def test_points_are_x_first_and_areas_in_cm2(root):
    lesion = inbreast.index(root, threads=1).lesions.iloc[0]
    assert lesion["source"] == "AllXML/101.xml#1"
    assert (lesion["y0"], lesion["x0"]) == (30, 4)
    assert lesion["area_cm2"] == pytest.approx(lesion["area_px"] * 0.007**2)
    assert lesion["pathology"] == "BI-RADS 4a"


@pytest.mark.parametrize(
    ("header", "row", "flags"),
    [
        ({}, "R", ""),
        ({"ImageLaterality": "R", "Laterality": "R"}, "R", ""),
        ({"ImageLaterality": "L"}, "R", "laterality-header"),
        ({"Laterality": "L"}, "", "laterality-header"),
        ({"ImageLaterality": "R", "Laterality": "L"}, " R ", "laterality-header"),
        ({"ImageLaterality": "R"}, "L", "laterality-table"),
        ({"ImageLaterality": "L"}, "L", "laterality-header;laterality-table"),
        ({"ImageLaterality": "B"}, "?", ""),
        ({"ImageLaterality": ""}, "R", ""),
    ],
)
def test_another_side_than_the_file_names_is_flagged(tmp_path, header, row, flags):
    add(tmp_path, 101, side="R", rois=[("Mass", square(4, 30))], **header)
    table(tmp_path, {101: "4a"})
    path = tmp_path / "INbreast.csv"
    path.write_text(path.read_text().replace(";L;", f";{row};"))
    images = inbreast.index(tmp_path, threads=1).images
    assert images[["laterality", "flags"]].to_numpy().tolist() == [["R", flags]]


def test_rows_of_both_sides_and_a_table_without_sides(tmp_path):
    add(tmp_path, 101, rois=[])
    table(tmp_path, {101: "4a"})
    path = tmp_path / "INbreast.csv"
    both = path.read_text() + "removed;removed;R;CC;201001;101;;4a"
    path.write_text(both)
    assert inbreast.index(tmp_path, threads=1).images["flags"].tolist() == ["laterality-table"]
    path.write_text(both.replace("Laterality", "Age"))
    assert inbreast.index(tmp_path, threads=1).images["flags"].tolist() == [""]


def test_boxes_that_only_touch_stay_apart_and_chains_join():
    boxes = {0: (0, 0, 4, 4), 1: (4, 0, 8, 4), 2: (20, 20, 24, 24), 3: (3, 3, 5, 21), 4: (4, 20, 21, 22)}
    assert inbreast._overlapping({key: boxes[key] for key in (0, 1)}) == [[0], [1]]
    assert inbreast._overlapping(boxes) == [[0, 1, 2, 3, 4]]
    assert inbreast._overlapping({}) == []


@pytest.mark.parametrize(
    "point", ["__import__('os')", "(1, 2, 3)", "1, 2", "(1e9, 2)", "(nan, 2)", "(1,)", "(١, 2)"]
)
def test_points_that_are_not_points(tmp_path, point):
    path = plist(tmp_path / "1.xml", [("Mass", square(1, 1))])
    path.write_text(path.read_text().replace("(1.000000, 1.000000)", point))
    with pytest.raises(Excluded, match="bad-xml"):
        inbreast.lesion_mask(tmp_path, "1.xml#0", SHAPE)


def test_an_annotation_file_that_changed_since_the_index(tmp_path):
    plist(tmp_path / "1.xml", [("Mass", square(1, 1)), ("Cluster", square(1, 1))])
    for place in (1, 2):
        with pytest.raises(Excluded, match="no longer what it was"):
            inbreast.lesion_mask(tmp_path, f"1.xml#0+{place}", SHAPE)


NESTED = 100_000


@pytest.mark.parametrize(
    "content",
    [
        b'<!DOCTYPE plist [<!ENTITY a "aaaa">]><plist version="1.0"><string>&a;</string></plist>',
        b'<!DOCTYPE l [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><plist version="1.0"><dict><key>Images</key>'
        b"<array><string>&b;</string></array></dict></plist>",
        b'<!DOCTYPE l [<!ENTITY a SYSTEM "file:///etc/passwd">]><plist><string>&a;</string></plist>',
        plistlib.dumps({"Images": []}, fmt=plistlib.FMT_BINARY),
        b"<plist>" + b"<array>" * NESTED + b"</array>" * NESTED + b"</plist>",
        b"<plist><dict><key>Images</key><array><dict><key>ROIs</key><array><dict><key>Name</key>"
        + b"<array>" * NESTED
        + b"</array>" * NESTED
        + b"</dict></array></dict></array></dict></plist>",
        b"",
        b"\0" * 64,
        b'<?xml version="1.0" encoding="klingon"?><plist/>',
        b"<plist><dict/></plist>",
        b"<plist><dict><key>Images</key><string>none</string></dict></plist>",
        b"<plist><dict><key>Images</key><array><dict><key>ROIs</key><integer>0</integer></dict></array></dict></plist>",
    ],
    ids=[
        *("entity", "laughs", "file-entity", "binary", "nested", "nested-name", "empty", "zeros", "encoding"),
        *("no-images", "text", "number"),
    ],
)
def test_annotation_files_that_are_none(tmp_path, content):
    (tmp_path / "1.xml").write_bytes(content)
    with pytest.raises(Excluded, match="bad-xml"):
        inbreast.lesion_mask(tmp_path, "1.xml#0", SHAPE)


def test_an_annotation_file_of_any_size_is_not_read(tmp_path, monkeypatch):
    path = plist(tmp_path / "1.xml", [("Mass", square(4, 4))])
    assert inbreast.lesion_mask(tmp_path, "1.xml#0", SHAPE).any()
    monkeypatch.setattr(inbreast, "MAX_XML_BYTES", path.stat().st_size - 1)
    monkeypatch.setattr(Path, "read_bytes", lambda _: pytest.fail("the file was read"))
    with pytest.raises(Excluded, match="bad-xml: expected at most"):
        inbreast.lesion_mask(tmp_path, "1.xml#0", SHAPE)


def test_masses_of_endless_points_are_not_drawn(tmp_path):
    points = [(4, 4)] * (inbreast.MAX_POINTS // 2)
    plist(tmp_path / "1.xml", [("Mass", points), ("Calcification", points), ("Mass", [*points, (5, 5)])])
    with pytest.raises(Excluded, match="bad-xml: expected masses of at most 10000 points, got 10001"):
        inbreast.lesion_mask(tmp_path, "1.xml#0", SHAPE)


@pytest.mark.parametrize(
    ("points", "reason"),
    [
        ([], "contour-points"),
        ([(4, 4)], "contour-points"),
        ([(4, 4), (12, 12)], "contour-points"),
        (square(900, 4), "contour-outside"),
        (square(-20, 4), "contour-outside"),
        (square(4, 900), "contour-outside"),
    ],
)
def test_a_mass_that_cannot_be_drawn_takes_its_image_along(tmp_path, points, reason):
    add(tmp_path, 101, rois=[("Mass", square(4, 30))])
    add(tmp_path, 102, rois=[("Mass", square(4, 30)), ("Mass", points)])
    table(tmp_path, {101: "5", 102: "5"})
    index = inbreast.index(tmp_path, threads=1)
    assert index.images["image_id"].tolist() == ["101"]
    reasons = index.excluded.set_index("path")["reason"].to_dict()
    assert reasons == {
        f"AllDICOMs/102_{A}_MG_L_CC_ANON.dcm": "lesion-excluded",
        "AllXML/102.xml": "image-excluded",
        "AllXML/102.xml#0": "image-excluded",
        "AllXML/102.xml#1": reason,
    }


@pytest.mark.parametrize(
    ("corner", "box", "flag"),
    [
        ((-4, 30), [30, 0, 39, 5], "contour-clipped"),
        ((44, 60), [60, 44, 64, 48], "contour-clipped"),
        ((40, 56), [56, 40, 64, 48], ""),  # its last corner is the image's
        ((0, 0), [0, 0, 9, 9], ""),
    ],
)
def test_what_lies_inside_of_a_mass_at_the_border_is_kept(tmp_path, corner, box, flag):
    add(tmp_path, 101, rois=[("Mass", square(*corner))])
    table(tmp_path, {101: "5"})
    index = inbreast.index(tmp_path, threads=1)
    assert index.lesions.iloc[0][["y0", "x0", "y1", "x1"]].tolist() == box
    assert index.images["flags"].tolist() == [flag]


@pytest.mark.parametrize(
    ("birads", "rois", "reason"),
    [
        ("1", None, None),
        ("1", [("Mass", square(4, 30))], None),
        ("2", [], None),
        ("2", None, "missing-xml"),
        ("4a", None, "missing-xml"),
        ("", None, "missing-xml"),
        (None, None, "missing-xml"),
        (None, [("Mass", square(4, 30))], None),
    ],
)
def test_only_bi_rads_1_goes_without_an_annotation_file(tmp_path, birads, rois, reason):
    add(tmp_path, 101, rois=rois)
    add(tmp_path, 102, rois=[])
    table(tmp_path, {102: "2"} | ({101: birads} if birads is not None else {}))
    index = inbreast.index(tmp_path, threads=1)
    assert index.excluded["reason"].tolist() == ([reason] if reason else [])
    flags = {} if reason else {"101": "not-in-table" if birads is None else ""}
    assert index.images.set_index("image_id")["flags"].to_dict() == {**flags, "102": ""}
    assert len(index.lesions) == len(rois or [])


def test_names_and_readings_that_the_release_does_not_have_are_not_repeated(tmp_path):
    add(tmp_path, 101, rois=[("SECRET^NAME", square(4, 4)), ("Mass", square(4, 30))], PatientName="SECRET")
    table(tmp_path, {101: "4a SECRET"})
    index = inbreast.index(tmp_path, threads=1)
    for frame in (index.images, index.lesions, index.excluded, index.reconciliation):
        assert "SECRET" not in frame.to_csv()
    assert index.reconciliation.set_index("quantity").loc["regions ignored: (other)", "found"] == 1
    assert index.lesions["pathology"].tolist() == [""]


VALID = plistlib.dumps(
    {"Images": [{"ROIs": [{"Name": "Mass", "Point_px": ["(4, 4)", "(4, 12)", "(12, 12)"], "Type": 15}]}]}
)
PIECES = [
    *(b"<", b">", b"&", b"\0", b"\xff", b"</array>", b"<dict>", b"</dict>", b"<key>Name</key>"),
    *(b"<date>x</date>", b"<integer>x</integer>", b"<data>!</data>", b"<real/>", b"<string/>", b"-", b"e9"),
]
CHANGES = st.tuples(
    st.integers(0, len(VALID)), st.integers(0, 40), st.sampled_from(PIECES) | st.binary(max_size=4)
)


@pytest.fixture(scope="module")
def two_images(tmp_path_factory):
    root = tmp_path_factory.mktemp("two")
    add(root, 101, rois=[("Mass", square(4, 30))])
    add(root, 102, rois=[])
    table(root, {101: "5", 102: "5"})
    return root


@settings(max_examples=100)
@given(st.lists(CHANGES, min_size=1, max_size=3))
def test_a_damaged_annotation_file_never_stops_the_index(two_images, changes):
    content = VALID
    for place, length, piece in changes:
        content = content[:place] + piece + content[place + length :]
    (two_images / "AllXML" / "102.xml").write_bytes(content)
    index = inbreast.index(two_images, threads=1)
    used = "102" in set(index.images["image_id"])
    reasons = set(index.excluded["reason"])
    assert used == (not reasons)
    assert reasons <= {
        *("bad-xml", "lesion-excluded", "image-excluded"),
        *("contour-points", "contour-outside"),
    }
    assert "101" in set(index.images["image_id"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (HEADER, "expected a row for each image, found none with a number as File Name"),
        (HEADER + "\nremoved;removed;L;CC;201001;;1;1", "expected a row for each image, found none"),
        (HEADER + "\nremoved;removed;L;CC;201001;9999;1;1", "expected the rows of the 9 images .* 1 others"),
        (
            HEADER.replace(";", ":") + "\nremoved:removed:L:CC:201001:101:1:1",
            r"expected the columns .* semicolons, .*, missing \['File Name', 'Bi-Rads'\] among 1$",
        ),
        (HEADER.replace("Bi-Rads", "Birads"), r"expected the columns .*, missing \['Bi-Rads'\] among 8$"),
        ("", "expected the INbreast table, got an empty file"),
    ],
    ids=["no-row", "no-name", "foreign", "colons", "no-column", "empty"],
)
def test_a_table_that_says_nothing_is_refused_in_one_sentence(root, content, message):
    (root / "INbreast.csv").write_text(content)
    with pytest.raises(ValueError, match=rf"INbreast\.csv: {message}") as caught:
        inbreast.index(root, threads=1)
    assert "\n" not in str(caught.value)


def test_a_table_in_a_newer_format_or_none_at_all(root):
    (root / "INbreast.csv").rename(root / "INbreast.xlsx")
    with pytest.raises(ValueError, match=r"expected INbreast\.csv or INbreast\.xls there or .*, found none"):
        inbreast.index(root, threads=1)


def test_images_of_another_format_are_named(root):
    for path in (root / "AllDICOMs").iterdir():
        path.rename(path.with_suffix(".png")).write_bytes(b"\x89PNG")
    with pytest.raises(
        ValueError, match=r": expected DICOM files of INbreast, found 10 \.png files, 8 \.xml files, 1 \.csv"
    ):
        inbreast.index(root, threads=1)


def test_a_folder_that_is_a_link_is_named_with_what_to_do(root):
    (root / "AllDICOMs").rename(root.parent / "disk")
    (root / "AllDICOMs").symlink_to(root.parent / "disk")
    with pytest.raises(
        ValueError, match=r"found .*, 'AllDICOMs', but symbolic links are not followed: move "
    ):
        inbreast.index(root, threads=1)


def test_rows_that_are_there_twice(root):
    rows = (root / "INbreast.csv").read_text().splitlines()
    again = [row for row in rows if ";101;" in row or ";103;" in row]
    differing = [row.replace("4a", "4b") for row in again if ";101;" in row]
    (root / "INbreast.csv").write_text("\n".join([*rows, *differing, again[1]]))
    index = inbreast.index(root, threads=1)
    excluded = index.excluded.set_index("path")
    assert excluded.loc["103"].tolist() == ["duplicate", "a row of the table that is there a second time"]
    assert "103" in set(index.images["image_id"])
    assert excluded.loc[f"AllDICOMs/101_{A}_MG_L_CC_ANON.dcm"].tolist() == [
        "bad-row",
        "the rows of the image differ in Bi-Rads",
    ]
    assert excluded.loc["AllXML/101.xml", "reason"] == "image-excluded"


def test_short_rows_and_numbers_written_as_floats(tmp_path):
    for image_id in (101, 102, 103):
        add(tmp_path, image_id, rois=[] if image_id == 102 else None)
    rows = ["removed;removed;L;CC;201001;101.0;1.0;1.0", "removed;removed;L;CC;201001;102", ";;;;;103;; 1 "]
    (tmp_path / "INbreast.csv").write_text("\r\n".join([HEADER, *rows]))
    index = inbreast.index(tmp_path, threads=1)
    assert index.images["image_id"].tolist() == ["101", "102", "103"]
    assert index.images["flags"].tolist() == [""] * 3
    assert index.excluded.empty


def test_follow_ups_belong_to_their_patient(tmp_path):
    for image_id in (101, 102):
        add(tmp_path, image_id)
    rows = [
        f"removed;removed;L;CC;{date};{image_id};1;1" for date, image_id in ((200801, 101), (200903, 102))
    ]
    (tmp_path / "INbreast.csv").write_text("\n".join([HEADER, *rows]))
    images = inbreast.index(tmp_path, threads=1).images
    assert images["patient_id"].tolist() == [A, A]


def test_copies_of_an_image_are_listed_and_two_images_of_one_name_are_left_out(tmp_path):
    for image_id in (101, 102, 103, 104):
        add(tmp_path, image_id)
    (tmp_path / "again").mkdir()
    for image_id in (101, 102):
        name = f"{image_id}_{A}_MG_L_CC_ANON.dcm"
        shutil.copy(tmp_path / "AllDICOMs" / name, tmp_path / "again" / name)
    with (tmp_path / "again" / name).open("ab") as file:
        file.write(b"\0\0")
    copied = tmp_path / "AllDICOMs" / f"103_{A}_MG_L_CC_ANON.dcm"
    shutil.copy(copied, copied.with_name(f"103_{B}_MG_L_CC_ANON.dcm"))
    table(tmp_path, dict.fromkeys((101, 102, 103, 104), "1"))
    index = inbreast.index(tmp_path, threads=1)
    assert index.images["image_id"].tolist() == ["101", "104"]
    assert set(zip(index.excluded["path"], index.excluded["reason"], strict=True)) == {
        (f"again/101_{A}_MG_L_CC_ANON.dcm", "duplicate"),
        (f"AllDICOMs/102_{A}_MG_L_CC_ANON.dcm", "duplicate"),
        (f"again/102_{A}_MG_L_CC_ANON.dcm", "duplicate"),
        (f"AllDICOMs/103_{A}_MG_L_CC_ANON.dcm", "duplicate"),
        (f"AllDICOMs/103_{B}_MG_L_CC_ANON.dcm", "duplicate"),
    }


def test_a_release_in_a_folder_of_its_own(root):
    inner = root / "INbreast Release 1.0"
    inner.mkdir()
    for name in ("AllDICOMs", "AllXML", "INbreast.csv"):
        (root / name).rename(inner / name)
    index = inbreast.index(root, threads=1)
    assert index.lesions["source"].iloc[0] == "INbreast Release 1.0/AllXML/101.xml#1"
    assert inbreast.lesion_mask(root, index.lesions["source"].iloc[0], SHAPE).any()


def test_a_copy_of_an_annotation_file_is_listed(root):
    (root / "copies").mkdir()
    (root / "copies" / "101.XML").write_bytes((root / "AllXML" / "101.xml").read_bytes())
    index = inbreast.index(root, threads=1)
    assert "101" in set(index.images["image_id"])
    assert set(index.lesions["source"][index.lesions["image_id"] == "101"]) == {"AllXML/101.xml#1"}
    assert index.excluded.set_index("path").loc["copies/101.XML", "reason"] == "duplicate"


def test_two_annotation_files_that_differ_leave_the_image_out(root):
    plist(root / "copies" / "101.xml", [])
    index = inbreast.index(root, threads=1)
    assert "101" not in set(index.images["image_id"])
    excluded = index.excluded.set_index("path")
    image = excluded.loc[f"AllDICOMs/101_{A}_MG_L_CC_ANON.dcm"]
    assert image.tolist() == ["duplicate", "files of one image that are not copies of each other"]
    assert set(excluded.loc[["AllXML/101.xml", "copies/101.xml"], "reason"]) == {"image-excluded"}


def test_rows_that_end_in_a_separator_keep_their_columns(root):
    expected = inbreast.index(root, threads=1).images
    table = root / "INbreast.csv"
    header, *rows = table.read_text().splitlines()
    table.write_text("\n".join([header, *(f"{row};" for row in rows)]))
    pd.testing.assert_frame_equal(inbreast.index(root, threads=1).images, expected)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize("separator", [",", "\t"])
def test_a_table_saved_by_a_spreadsheet_program_says_the_same(root, separator, encoding):
    expected = inbreast.index(root, threads=1)
    table = root / "INbreast.csv"
    table.write_bytes(table.read_text().replace(";101;", ";101,0;").replace(";", separator).encode(encoding))
    if separator == ",":
        table.write_bytes(table.read_bytes().decode(encoding).replace("101,0", '"101,0"').encode(encoding))
    index = inbreast.index(root, threads=1)
    for name in ("images", "lesions", "excluded"):
        pd.testing.assert_frame_equal(getattr(index, name), getattr(expected, name))


@pytest.mark.parametrize("content", [b"", b"no spreadsheet", b"PK\x03\x04 and nothing else"])
def test_a_bad_spreadsheet_is_refused_in_one_sentence(root, content):
    (root / "INbreast.csv").unlink()
    (root / "INbreast.xls").write_bytes(content)
    with pytest.raises(
        ValueError, match=r"INbreast\.xls: expected a table in an Excel 97 spreadsheet, got \w+"
    ):
        inbreast.index(root, threads=1)


# The whole release, invented


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    root = tmp_path_factory.mktemp("whole")
    ignored = inbreast_whole.write(root)
    (root / "INbreast.csv").write_bytes(inbreast_whole.csv_table())
    return root, inbreast.index(root, threads=2), ignored


def test_every_number_of_the_whole_release_is_the_papers(whole):
    rows = whole[1].reconciliation.set_index("quantity")
    expected = {
        "patients": 108,
        "patients with masses": 50,
        "patients without masses": 58,
        "images": 410,
        "images with masses": 107,
        "images without masses": 303,
        "contours": 116,
        "lesions": 112,
    }
    assert rows["found"][list(expected)].to_dict() == expected
    assert (rows["difference"][list(expected)] == 0).all()
    assert len(whole[1].images) == 410
    assert len(whole[1].lesions) == 112
    assert whole[1].excluded.empty


def test_the_whole_release_has_the_composition_of_the_real_one(whole):
    images, lesions = whole[1].images, whole[1].lesions
    sizes = Counter(Counter(images["patient_id"]).values())
    assert sizes == {4: 75, 2: 25, 8: 5, 3: 1, 7: 1, 10: 1}
    assert Counter(images["view"])["FB"] == 1
    assert set(images["view"]) == {"CC", "MLO", "FB"}
    merged = lesions[lesions["source"].str.contains("+", regex=False)]
    assert merged["image_id"].nunique() == len(merged) == 4
    assert len(list((whole[0] / "AllXML").glob("[0-9]*.xml"))) == 343
    dates = pd.read_csv(whole[0] / "INbreast.csv", sep=";", dtype=str).set_index("File Name")
    by_patient = images.set_index("image_id").join(dates["Acquisition date"]).groupby("patient_id")
    assert (by_patient["Acquisition date"].nunique() == 2).sum() == 9


def test_regions_that_are_no_masses_are_counted_by_name(whole):
    rows = whole[1].reconciliation.set_index("quantity")["found"]
    found = {name.partition(": ")[2]: count for name, count in rows.items() if ": " in name}
    ignored = {name or "(empty)": count for name, count in whole[2].items()}
    assert found == ignored
    assert set(ignored) == {*inbreast.OTHER_REGIONS, "(empty)"}


def test_every_file_of_the_whole_release_is_accounted_for(whole):
    root, index, _ = whole
    on_disk = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    annotated = {f"AllXML/{image_id}.xml" for image_id in index.images["image_id"]}
    used = {*index.images["path"], *(annotated & on_disk), "INbreast.csv"}
    plain = set(inbreast_whole.NOISE)
    assert used | plain == on_disk
    assert not used & plain
    found = index.reconciliation.set_index("quantity")["found"]
    assert found["files used"] == len(used)
    assert found["files and rows excluded"] == 0
    assert found["files that are plainly not images"] == len(plain)


def test_the_spreadsheet_gives_the_same_index(whole, tmp_path):
    source, expected, _ = whole
    root = tmp_path / "root"
    shutil.copytree(source, root)
    (root / "INbreast.csv").unlink()
    shutil.copy(SPREADSHEET, root)
    index = inbreast.index(root, threads=2)
    for name in ("images", "lesions", "excluded", "reconciliation"):
        pd.testing.assert_frame_equal(getattr(index, name), getattr(expected, name))


def test_the_spreadsheet_has_the_quirks_of_the_real_one():
    frame = inbreast._read_sheet(SPREADSHEET)
    assert frame.shape == (412, 17)
    assert frame.equals(pd.DataFrame(inbreast_whole.sheet()[1:], columns=frame.columns).map(inbreast._text))
    images = frame.iloc[:410].set_index("File Name")
    flagged = set(images.index[images["Mass"] == "X"])
    with_contours = {str(image.number) for image in inbreast_whole.images() if image.masses}
    assert len(flagged ^ with_contours) == 3


@pytest.mark.parametrize("place", [0, 600, 2048, 9000, 30_000])
def test_a_damaged_spreadsheet_is_refused_in_one_sentence(root, place):
    (root / "INbreast.csv").unlink()
    content = bytearray(SPREADSHEET.read_bytes())
    content[place : place + 512] = b"\xff" * 512
    (root / "INbreast.xls").write_bytes(content)
    with pytest.raises(ValueError, match=r"INbreast\.xls: expected") as caught:
        inbreast.index(root, threads=1)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["101.xml", f"101_{A}_MG_L_CC_ANON.dcm"])
def test_what_cannot_be_read_is_listed(root, monkeypatch, name):
    def failing(real):
        def called(path, *args, **kwargs):
            if path.name == name:
                raise OSError(5, "Input/output error", str(path))
            return real(path, *args, **kwargs)

        return called

    monkeypatch.setattr(Path, "read_bytes", failing(Path.read_bytes))
    monkeypatch.setattr(headers, "is_dicom", failing(headers.is_dicom))
    index = inbreast.index(root, threads=1)
    assert "101" not in set(index.images["image_id"])
    row = index.excluded[
        index.excluded["path"].str.contains("101") & (index.excluded["reason"] == "unreadable")
    ]
    assert row["detail"].tolist() != []
    assert not row["detail"].str.contains("101").any()


def test_suffixes_may_be_of_capitals(root):
    path = next((root / "AllDICOMs").glob("101_*"))
    path.rename(path.with_suffix(".DCM"))
    assert "101" in set(inbreast.index(root, threads=1).images["image_id"])
