import numpy as np
import pandas as pd
import pytest
from releases_by_hand import dicom_file, half_ellipse, plist

from mammoflow.contracts.index import EXCLUDED, IMAGES, LESIONS, RECONCILIATION
from mammoflow.datasets import inbreast
from mammoflow.exclusions import Excluded

HEADER = "Patient ID;Patient age;Laterality;View;Acquisition date;File Name;ACR;Bi-Rads"
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
    assert images["flags"].tolist() == [""] * 4
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
        ("AllXML/999.xml", "image-excluded"),
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


def test_boxes_that_only_touch_stay_apart_and_chains_join():
    boxes = {0: (0, 0, 4, 4), 1: (4, 0, 8, 4), 2: (20, 20, 24, 24), 3: (3, 3, 5, 21), 4: (4, 20, 21, 22)}
    assert inbreast._overlapping({key: boxes[key] for key in (0, 1)}) == [[0], [1]]
    assert inbreast._overlapping(boxes) == [[0, 1, 2, 3, 4]]
    assert inbreast._overlapping({}) == []


@pytest.mark.parametrize("point", ["__import__('os')", "(1, 2, 3)", "1, 2", "(1e9, 2)", "(nan, 2)", "(1,)"])
def test_points_that_are_not_points(tmp_path, point):
    path = plist(tmp_path / "1.xml", [("Mass", square(1, 1))])
    path.write_text(path.read_text().replace("(1.000000, 1.000000)", point))
    with pytest.raises(Excluded, match="bad-xml"):
        inbreast.lesion_mask(tmp_path, "1.xml#0", SHAPE)


def test_entities_and_binary_lists_are_refused(tmp_path):
    (tmp_path / "1.xml").write_text(
        '<!DOCTYPE plist [<!ENTITY a "aaaa">]><plist version="1.0"><string>&a;</string></plist>'
    )
    (tmp_path / "2.xml").write_bytes(b"bplist00\xa0")
    for name in ("1.xml", "2.xml"):
        with pytest.raises(Excluded, match="bad-xml"):
            inbreast.lesion_mask(tmp_path, f"{name}#0", SHAPE)


def test_a_spreadsheet_counts_too(root, monkeypatch):
    (root / "INbreast.csv").unlink()
    (root / "INbreast.xls").write_bytes(b"")
    sheet = pd.DataFrame(
        {
            "File Name": ["101.0", "103.0", "", "Total"],
            "Mass ": ["X", "", "", "2"],
            "Bi-Rads": ["4a", "1", "", ""],
        }
    )
    monkeypatch.setattr(pd, "read_excel", lambda *_, **__: sheet)
    images = inbreast.index(root, threads=1).images.set_index("image_id")
    assert "103" in images.index
    assert images.loc["102", "flags"] == "not-in-table"


def test_missing_table_or_column(root):
    (root / "INbreast.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match=r"missing \['File Name', 'Bi-Rads'\]"):
        inbreast.index(root, threads=1)
    (root / "INbreast.csv").unlink()
    with pytest.raises(ValueError, match=r"expected INbreast\.csv or INbreast\.xls there or .*, found none"):
        inbreast.index(root, threads=1)


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
    assert image.tolist() == ["duplicate", "two annotation files differ"]
    assert set(excluded.loc[["AllXML/101.xml", "copies/101.xml"], "reason"]) == {"image-excluded"}


def test_rows_that_end_in_a_separator_keep_their_columns(root):
    expected = inbreast.index(root, threads=1).images
    table = root / "INbreast.csv"
    header, *rows = table.read_text().splitlines()
    table.write_text("\n".join([header, *(f"{row};" for row in rows)]))
    pd.testing.assert_frame_equal(inbreast.index(root, threads=1).images, expected)


@pytest.mark.parametrize("content", [b"", b"no spreadsheet", b"PK\x03\x04 and nothing else"])
def test_a_bad_spreadsheet_is_refused_in_one_sentence(root, content):
    (root / "INbreast.csv").unlink()
    (root / "INbreast.xls").write_bytes(content)
    with pytest.raises(ValueError, match=r"INbreast\.xls: expected a table in a spreadsheet, got \w+"):
        inbreast.index(root, threads=1)
