import csv
import io
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from releases_by_hand import half_ellipse, rectangle

from mammoflow.archives import cdd_cesm
from mammoflow.base.contracts.index import EXCLUDED, IMAGES, LESIONS, RECONCILIATION
from mammoflow.base.exclusions import Excluded

SHAPE = (60, 50)
FINDINGS, OUTLINES = "Radiology-manual-annotations.csv", "Radiology_hand_drawn_segmentations_v2.csv"
LOW, SUBTRACTED = "Low energy images of CDD-CESM", "Subtracted images of CDD-CESM"
SQUARE = {"name": "polygon", "all_points_x": [10, 20, 20, 10], "all_points_y": [5, 5, 25, 25]}


class Release:
    """A release written image by image."""

    def __init__(self, root):
        self.root = root
        self.findings, self.outlines = [], []

    def picture(self, name, folder=LOW):
        path = self.root / folder / f"{name}.jpg"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(half_ellipse(SHAPE, 200).astype(np.uint8)).save(path)
        return f"{folder}/{name}.jpg"

    def add(self, name, findings="Normal", pathology="Normal", shapes=(), file=None):
        """An image with its rows; its path."""
        self.findings.append([f"{name} ", findings, pathology])
        for number, shape in enumerate(shapes):
            text = shape if isinstance(shape, str) else json.dumps(shape)
            self.outlines.append([file or f"{name}.jpg", 1, "{}", len(shapes), number, text, "{}"])
        return self.picture(name)

    def index(self):
        columns = ["Image_name", "Findings", "Pathology Classification/ Follow up"]
        self._table(FINDINGS, [columns, *self.findings])
        columns = ["#filename", "file_size", "file_attributes", "region_count", "region_id"]
        columns += ["region_shape_attributes", "region_attributes"]
        self._table(OUTLINES, [columns, *self.outlines])
        return cdd_cesm.index(self.root, threads=1)

    def _table(self, name, rows):
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        (self.root / name).write_text(text.getvalue())


@pytest.fixture
def written(tmp_path):
    release = Release(tmp_path)
    release.add("P1_R_DM_CC")
    return release


def reasons(index):
    return index.excluded.set_index("path")["reason"].to_dict()


def test_index(written, tmp_path):
    path = written.add(
        "P1_L_DM_MLO", "Mass", "Malignant", [SQUARE, {"name": "circle", "cx": 30, "cy": 40, "r": 4}]
    )
    written.picture("P1_L_CM_MLO", SUBTRACTED)
    written.findings.append(["P1_L_CM_MLO", "Mass enhancement", "Malignant"])
    written.outlines.append(["P1_L_CM_MLO.jpg", 1, "{}", 1, 0, json.dumps(SQUARE), "{}"])
    (tmp_path / "Radiology-manual-annotations.xlsx").write_bytes(b"PK\3\4")
    index = written.index()
    for table in (IMAGES, LESIONS, EXCLUDED, RECONCILIATION):
        table.check(getattr(index, table.name))
    assert index.images[["image_id", "patient_id", "laterality", "view", "path"]].values.tolist() == [
        ["P1_L_DM_MLO", "P1", "L", "MLO", path],
        ["P1_R_DM_CC", "P1", "R", "CC", f"{LOW}/P1_R_DM_CC.jpg"],
    ]
    assert index.images["spacing_mm"].isna().all()
    assert index.images[["rows", "columns"]].drop_duplicates().values.tolist() == [list(SHAPE)]
    assert index.lesions[["y0", "x0", "y1", "x1"]].values.tolist() == [[5, 10, 26, 21], [36, 26, 45, 35]]
    assert set(index.lesions["pathology"]) == {"MALIGNANT"}
    assert reasons(index) == {
        f"{SUBTRACTED}/P1_L_CM_MLO.jpg": "subtracted-image",
        f"{OUTLINES}:4": "image-excluded",
    }
    found = index.reconciliation.set_index("quantity")["found"]
    expected = {"patients": 1, "low-energy images": 2, "subtracted images": 1, "images with masses": 1}
    expected |= {"images without findings": 1, "masses": 2, "files that are plainly not images": 1}
    assert found[list(expected)].to_dict() == expected
    assert cdd_cesm.read_image(tmp_path, path).max() <= 255


@pytest.mark.parametrize(
    ("shape", "box"),
    [
        (SQUARE, (5, 10, 26, 21)),
        (SQUARE | {"name": "polyline"}, (5, 10, 26, 21)),
        ({"name": "circle", "cx": 20, "cy": 30, "r": 5}, (25, 15, 36, 26)),
        ({"name": "ellipse", "cx": 20, "cy": 30, "rx": 10, "ry": 5}, (25, 10, 36, 31)),
        ({"name": "ellipse", "cx": 20, "cy": 30, "rx": 10, "ry": 5, "theta": np.pi / 2}, (20, 15, 41, 26)),
        (SQUARE | {"all_points_x": [-10, 20, 20, -10]}, (5, 0, 26, 21)),
    ],
)
def test_shapes_are_filled(tmp_path, shape, box):
    mask = cdd_cesm.lesion_mask(tmp_path, f"outline:{json.dumps(shape)}", SHAPE)
    rows, columns = np.nonzero(mask)
    found = rows.min(), columns.min(), rows.max() + 1, columns.max() + 1
    np.testing.assert_allclose(found, box, atol=1)
    if shape["name"] in ("polygon", "polyline"):
        np.testing.assert_array_equal(mask, rectangle(SHAPE, box))


def test_an_ellipse_turns_as_the_annotator_turns_it(tmp_path):
    shape = {"name": "ellipse", "cx": 25, "cy": 30, "rx": 20, "ry": 3, "theta": np.pi / 4}
    mask = cdd_cesm.lesion_mask(tmp_path, f"outline:{json.dumps(shape)}", SHAPE)
    # Turned clockwise on the screen, where y goes down: from the upper left to the lower right.
    assert mask[40, 35]
    assert not mask[20, 35]


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ({"name": "point", "cx": 5, "cy": 5}, "contour-points"),
        (SQUARE | {"all_points_x": [1, 2], "all_points_y": [1, 2]}, "contour-points"),
        (SQUARE | {"all_points_x": [1, 2, 3]}, "bad-row"),
        (SQUARE | {"all_points_x": [1, 2, 3, "4"]}, "bad-row"),
        (SQUARE | {"all_points_x": [1, 2, 3, True]}, "bad-row"),
        (SQUARE | {"all_points_x": [1, 2, 3, 1e300]}, "bad-row"),
        (SQUARE | {"all_points_x": None}, "bad-row"),
        ({"name": "circle", "cx": 5, "cy": 5, "r": 0}, "contour-points"),
        ({"name": "circle", "cx": 5, "cy": 5}, "bad-row"),
        ({"name": "circle", "cx": 500, "cy": 500, "r": 3}, "contour-outside"),
        ({"name": "rect", "x": 1, "y": 1, "width": 3, "height": 4}, "bad-row"),
        ("[]", "bad-row"),
        ("", "bad-row"),
        ("[" * 5000, "bad-row"),
        ('{"name": "circle", "cx": NaN, "cy": 5, "r": 3}', "bad-row"),
    ],
)
def test_an_image_with_an_outline_that_cannot_be_used_is_left_out(written, shape, reason):
    path = written.add("P2_L_DM_CC", "Mass", "Benign", [SQUARE, shape])
    index = written.index()
    assert reasons(index) == {
        path: "lesion-excluded",
        f"{OUTLINES}:2": "image-excluded",
        f"{OUTLINES}:3": reason,
    }


@pytest.mark.parametrize(
    ("findings", "shapes", "reason"),
    [
        ("Calcifications", [SQUARE], "other-findings"),
        ("Asymmetry$Distortion", [SQUARE], "other-findings"),
        ("Mass enhancement", [SQUARE], "other-findings"),
        ("Mass$Calcifications", [SQUARE, SQUARE | {"name": "polyline"}], "lesion-ambiguous"),
        ("Normal$Mass", [SQUARE], "lesion-ambiguous"),
        ("Mass", [], "lesion-without-coordinates"),
        ("Normal", [SQUARE], "bad-row"),
        ("_", [], "bad-row"),
        ("", [], "bad-row"),
    ],
)
def test_findings_that_leave_an_image_out(written, findings, shapes, reason):
    path = written.add("P2_L_DM_CC", findings, "Benign", shapes)
    found = reasons(written.index())
    assert found.pop(path) == reason
    assert set(found.values()) <= {"image-excluded"}
    assert len(found) == len(shapes)


def test_a_row_without_a_shape_says_that_there_is_none(written):
    written.add("P2_L_DM_CC", shapes=["{}"])
    path = written.add("P3_L_DM_CC", "Mass", "Benign", ["{}"])
    index = written.index()
    assert index.images["image_id"].tolist() == ["P1_R_DM_CC", "P2_L_DM_CC"]
    assert reasons(index) == {path: "lesion-without-coordinates"}


@pytest.mark.parametrize("findings", ["Mass", " mass ", "Mass$Mass", "$Mass$_"])
def test_findings_that_are_masses_only(written, findings):
    written.add("P2_L_DM_CC", findings, "Benign", [SQUARE])
    assert written.index().lesions["pathology"].tolist() == ["BENIGN"]


@pytest.mark.parametrize("pathology", ["", "Normal", "unknown"])
def test_another_word_is_no_pathology(written, pathology):
    written.add("P2_L_DM_CC", "Mass", pathology, [SQUARE])
    assert written.index().lesions["pathology"].tolist() == [""]


@pytest.mark.parametrize("file", ["P2_L_DM_CC .jpg", "P2_L_DM_CC.JPG", "folder/P2_L_DM_CC.jpg", "P2_L_DM_CC"])
def test_names_may_be_written_otherwise(written, file):
    written.add("P2_L_DM_CC", "Mass", "Benign", [SQUARE], file=file)
    assert len(written.index().lesions) == 1


def test_no_row_and_no_picture_is_forgotten(written, tmp_path):
    lost = written.add("P2_L_DM_CC", "Mass", "Benign", [SQUARE])
    (tmp_path / lost).unlink()
    stranger = written.picture("P9_L_DM_CC")
    other = written.picture("scan")
    written.outlines.append(["scan.jpg", 1, "{}", 1, 0, json.dumps(SQUARE), "{}"])
    written.findings.append(written.findings[0])
    index = written.index()
    assert reasons(index) == {
        f"{FINDINGS}:3": "missing-file",
        f"{OUTLINES}:2": "missing-image",
        f"{OUTLINES}:3": "bad-row",
        f"{FINDINGS}:4": "duplicate",
        stranger: "not-in-table",
        other: "name",
    }


def test_a_workbook_instead_of_its_table_is_named(written, tmp_path):
    written.index()
    (tmp_path / FINDINGS).write_bytes(b"PK\3\4")
    with pytest.raises(ValueError, match="got an Excel workbook, which should be saved as CSV"):
        cdd_cesm.index(tmp_path, threads=1)
    (tmp_path / FINDINGS).unlink()
    with pytest.raises(ValueError, match=r"expected Radiology-manual-annotations\.csv or .*, found none"):
        cdd_cesm.index(tmp_path, threads=1)


def test_tables_saved_by_another_program_say_the_same(written, tmp_path):
    written.add("P2_L_DM_CC", "Mass", "Benign", [SQUARE])
    expected = written.index()
    for name in (FINDINGS, OUTLINES):
        frame = pd.read_csv(tmp_path / name, dtype=str, keep_default_na=False)
        (tmp_path / name).write_bytes(frame.to_csv(sep=";", index=False).encode("utf-16"))
    pd.testing.assert_frame_equal(cdd_cesm.index(tmp_path, 1).lesions, expected.lesions)


def test_no_path_leaves_the_root(written, tmp_path):
    written.index()
    with pytest.raises(Excluded, match="outside-root"):
        cdd_cesm.read_image(tmp_path / LOW, f"../{FINDINGS}")
