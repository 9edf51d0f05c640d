import csv
import io
import os
import tracemalloc
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest
from pydicom.uid import generate_uid
from releases_by_hand import dicom_file, half_ellipse, rectangle

from mammoflow.archives import cbis_ddsm
from mammoflow.base.boxes import bounding_box
from mammoflow.base.contracts.index import EXCLUDED, IMAGES, LESIONS, RECONCILIATION
from mammoflow.base.exclusions import Excluded

DATA = Path(__file__).parents[2] / "data" / "cbis-ddsm"
SHAPE = (100, 80)
HEADER = [
    "patient_id",
    "breast_density",
    "left or right breast",
    "image view",
    "abnormality id",
    "abnormality type",
    "mass shape",
    "mass margins",
    "assessment",
    "pathology",
    "subtlety",
    "image file path",
    "cropped image file path",
    "ROI mask file path",
]


class Release:
    """A CBIS-DDSM release, written object by object in one of the layouts of the download tools."""

    def __init__(self, root, separator="/", newline="\n", prefix=""):
        self.root, self.separator, self.newline, self.prefix = root, separator, newline, prefix
        self.rows = {"train": [], "test": []}
        self.count = 0

    def write(self, case, series, pixels, name="1-1.dcm", **elements):
        self.count += 1
        folder = (
            self.root / self.prefix / f"{case}/08-29-2017-DDSM-NA-{self.count:05d}/1.000000-any-{self.count}"
        )
        return dicom_file(folder / name, pixels, PatientID=case, SeriesInstanceUID=series, **elements)

    def image(self, number, split="train", side="LEFT", view="CC", full=True, **elements):
        """A full image; returns its case and the table's path."""
        case = f"Mass-{'Training' if split == 'train' else 'Test'}_P_{number:05d}_{side}_{view}"
        series = generate_uid()
        if full:
            self.write(case, series, half_ellipse(SHAPE), **elements)
        return case, f"{case}/{generate_uid()}/{series}/000000.dcm"

    def lesion(
        self, image, abnormality, mask, split="train", swapped=False, shared=True, crop=True, crop_pixels=None
    ):
        """A row with its crop and its mask (None: not on disk)."""
        case, path = image
        roi = f"{case}_{abnormality}"
        crop_series = generate_uid()
        mask_series = crop_series if shared else generate_uid()
        if crop:
            pixels = np.arange(300, dtype=np.uint16).reshape(20, 15) if crop_pixels is None else crop_pixels
            self.write(roi, crop_series, pixels, "000001.dcm" if swapped else "000000.dcm")
        if mask is not None:
            self.write(roi, mask_series, mask, "000000.dcm" if swapped and shared else "000001.dcm")
        paths = [
            f"{roi}/{generate_uid()}/{crop_series}/000000.dcm",
            f"{roi}/{generate_uid()}/{mask_series}/000001.dcm",
        ]
        parts = case.split("_")
        row = [
            "_".join(parts[1:3]),
            "3",
            parts[3],
            parts[4],
            str(abnormality),
            "mass",
            "OVAL",
            "",
            "4",
            "BENIGN",
            "4",
        ]
        paths = [p.replace("/", self.separator) for p in (path, paths[0], paths[1])]
        self.rows[split].append([*row, paths[0], paths[1], paths[2] + self.newline])
        return roi

    def tables(self):
        for split, name in cbis_ddsm.TABLES.items():
            text = io.StringIO()
            writer = csv.writer(text, lineterminator=self.newline)
            writer.writerows([HEADER, *self.rows[split]])
            (self.root / self.prefix).mkdir(parents=True, exist_ok=True)
            (self.root / self.prefix / name).write_bytes(text.getvalue().encode())
        return self.root


def mask_of(box=(40, 10, 60, 30), shape=SHAPE):
    return rectangle(shape, box).astype(np.uint8) * 255


def two_images(tmp_path):
    """A release of two images, and the table's row of the first."""
    release = Release(tmp_path)
    release.lesion(release.image(1), 1, mask_of())
    release.lesion(release.image(2), 1, mask_of())
    return release, release.rows["train"][0]


def reasons_of(index):
    """How often each reason is there, by the case that a path begins with."""
    return Counter((path.split("/")[0], reason) for path, reason in index.excluded.to_numpy()[:, :2])


@pytest.mark.parametrize(
    ("separator", "newline", "prefix"), [("/", "\n", ""), ("\\", "\r\n", "manifest-1/CBIS-DDSM")]
)
@pytest.mark.parametrize(("swapped", "shared"), [(False, True), (True, True), (False, False)])
def test_index(tmp_path, separator, newline, prefix, swapped, shared):
    release = Release(tmp_path, separator, newline, prefix)
    first = release.image(1)
    release.lesion(first, 1, mask_of(), swapped=swapped, shared=shared)
    release.lesion(first, 3, mask_of((70, 5, 80, 15)), swapped=swapped, shared=shared)
    second = release.image(2, "test", "RIGHT", "MLO")
    release.lesion(second, 2, mask_of(), split="test", swapped=swapped, shared=shared)
    index = cbis_ddsm.index(release.tables(), threads=2)
    for table in (IMAGES, LESIONS, EXCLUDED, RECONCILIATION):
        table.check(getattr(index, table.name))
    assert index.excluded.empty
    keys = ["image_id", "patient_id", "laterality", "view", "official_split", "rows", "columns", "flags"]
    assert index.images[keys].to_numpy().tolist() == [
        ["Mass-Test_P_00002_RIGHT_MLO", "P_00002", "R", "MLO", "test", 100, 80, ""],
        ["Mass-Training_P_00001_LEFT_CC", "P_00001", "L", "CC", "train", 100, 80, ""],
    ]
    assert index.images["spacing_mm"].isna().all()
    boxes = index.lesions[["lesion_id", "y0", "x0", "y1", "x1", "area_px", "pathology"]]
    assert boxes.to_numpy().tolist() == [
        ["Mass-Test_P_00002_RIGHT_MLO_2", 40, 10, 60, 30, 400, "BENIGN"],
        ["Mass-Training_P_00001_LEFT_CC_1", 40, 10, 60, 30, 400, "BENIGN"],
        ["Mass-Training_P_00001_LEFT_CC_3", 70, 5, 80, 15, 100, "BENIGN"],
    ]
    assert index.lesions["area_cm2"].isna().all()
    for lesion in index.lesions.itertuples():
        mask = cbis_ddsm.lesion_mask(tmp_path, lesion.source, SHAPE)
        np.testing.assert_array_equal(mask, rectangle(SHAPE, (lesion.y0, lesion.x0, lesion.y1, lesion.x1)))
    for path in index.images["path"]:
        np.testing.assert_array_equal(cbis_ddsm.read_image(tmp_path, path), half_ellipse(SHAPE))
    found = index.reconciliation.set_index("quantity")
    assert found.loc["train masses", ["paper", "found"]].tolist() == [1318, 2]
    assert found.loc["files used", "found"] == 2 + 2 * 3 + 2


def test_masks_of_the_other_digitiser_are_resized(tmp_path):
    release = Release(tmp_path)
    shape = (round(100 * 50 / 43.5), round(80 * 50 / 43.5))
    release.lesion(release.image(1), 1, mask_of((46, 11, 69, 34), shape))
    index = cbis_ddsm.index(release.tables(), threads=1)
    assert index.images["flags"].tolist() == ["mask-resized"]
    assert index.lesions[["y0", "x0", "y1", "x1"]].to_numpy().tolist() == [[40, 10, 60, 30]]
    resized = cbis_ddsm.lesion_mask(tmp_path, index.lesions["source"][0], SHAPE)
    np.testing.assert_array_equal(resized, rectangle(SHAPE, (40, 10, 60, 30)))


@pytest.mark.parametrize("ratio", [50 / 43.5, 43.5 / 50])
def test_a_resized_mask_stays_where_it_is(ratio):
    shape = (1000, 800)
    mask = rectangle(
        [round(size * ratio) for size in shape], [round(edge * ratio) for edge in (300, 100, 700, 500)]
    )
    np.testing.assert_allclose(bounding_box(cbis_ddsm._fit(mask, shape)), (300, 100, 700, 500), atol=1)


@pytest.mark.parametrize(("more", "fits"), [(0, True), (3, True), (-3, True), (5, False), (-5, False)])
def test_axes_agree_within_half_a_percent(more, fits):
    mask, shape = np.zeros((1150, 920 + round(1.15 * more)), bool), (1000, 800)
    if fits:
        assert cbis_ddsm._fit(mask, shape).shape == shape
    else:
        with pytest.raises(Excluded, match=r"mask of \(1150, \d+\) on an image of \(1000, 800\)"):
            cbis_ddsm._fit(mask, shape)


@pytest.mark.parametrize(
    ("mask", "reason"),
    [
        (mask_of(shape=(110, 80)), "mask-size"),
        (mask_of() * 0, "mask-constant"),
        (half_ellipse(SHAPE), "mask-missing"),
        (mask_of(shape=(200, 160)), "mask-missing"),
        (mask_of() * 0 + 255, "mask-constant"),
    ],
)
def test_a_bad_mask_is_quarantined_with_its_image(tmp_path, mask, reason):
    release = Release(tmp_path)
    release.lesion(release.image(1), 1, mask)
    release.lesion(release.image(2), 1, mask_of())
    index = cbis_ddsm.index(release.tables(), threads=1)
    assert index.images["patient_id"].tolist() == ["P_00002"]
    assert sorted(index.excluded["reason"]) == sorted([reason, reason, "lesion-excluded"])


@pytest.mark.parametrize("shape", [SHAPE, (98, 80), (80, 64)])
def test_a_crop_of_nearly_the_images_size_is_no_mask(tmp_path, shape):
    release = Release(tmp_path)
    image = release.image(1)
    release.lesion(image, 1, mask_of(), crop_pixels=half_ellipse(shape))
    index = cbis_ddsm.index(release.tables(), threads=1)
    assert index.lesions[["y0", "x0", "y1", "x1"]].to_numpy().tolist() == [[40, 10, 60, 30]]


def test_a_crop_of_two_values_is_no_mask_unless_it_has_the_images_size(tmp_path):
    release = Release(tmp_path)
    release.lesion(release.image(1), 1, mask_of(), crop_pixels=mask_of((1, 1, 5, 5), (20, 15)))
    release.lesion(release.image(2), 1, mask_of(), crop_pixels=mask_of((1, 1, 5, 5), (98, 79)))
    index = cbis_ddsm.index(release.tables(), threads=1)
    assert index.images["patient_id"].tolist() == ["P_00001"]
    case = "Mass-Training_P_00002_LEFT_CC"
    assert reasons_of(index) == {(case, "lesion-excluded"): 1, (f"{case}_1", "mask-ambiguous"): 2}


def test_a_mask_whose_series_is_missing_and_a_crop_whose_is(tmp_path):
    release = Release(tmp_path)
    release.lesion(release.image(1), 1, mask_of(), shared=False, crop=False)
    release.lesion(release.image(2), 1, None, shared=False)
    index = cbis_ddsm.index(release.tables(), threads=1)
    assert index.images["patient_id"].tolist() == ["P_00001"]
    case = "Mass-Training_P_00002_LEFT_CC"
    assert reasons_of(index) == {
        (case, "lesion-excluded"): 1,
        (f"{case}_1", "missing-file"): 1,
        (f"{case}_1", "image-excluded"): 1,
    }
    missing = index.excluded.set_index("reason")["path"]["missing-file"]
    assert missing == release.rows["train"][1][-1].strip()


def test_one_bad_mask_of_two_leaves_the_whole_image_out(tmp_path):
    release = Release(tmp_path)
    image = release.image(1)
    release.lesion(image, 1, mask_of())
    release.lesion(image, 2, None, crop=False)
    release.lesion(release.image(2), 1, mask_of())
    index = cbis_ddsm.index(release.tables(), threads=1)
    assert index.images["patient_id"].tolist() == ["P_00002"]
    assert index.lesions["lesion_id"].tolist() == ["Mass-Training_P_00002_LEFT_CC_1"]
    listed = {(path.split("/")[0], reason) for path, reason in index.excluded.to_numpy()[:, :2].tolist()}
    case = "Mass-Training_P_00001_LEFT_CC"
    assert listed == {
        (case, "lesion-excluded"),
        (f"{case}_1", "image-excluded"),
        (f"{case}_2", "missing-file"),
    }
    assert index.excluded["path"].is_unique
    details = index.excluded.set_index("reason")["detail"]
    assert details["lesion-excluded"] == "1 of the image's 2 masses cannot be used"
    found = index.reconciliation.set_index("quantity")["found"]
    files = 2 + 3 + 3
    assert found["files used"] + found["files and rows excluded"] == files + 1


@pytest.mark.parametrize(
    ("elements", "flags"),
    [
        ({}, ""),
        ({"Laterality": "R"}, ""),
        ({"Laterality": "L"}, "laterality-header"),
        ({"ImageLaterality": "L", "Laterality": "R"}, "laterality-header"),
    ],
)
def test_a_header_of_another_side_is_flagged(tmp_path, elements, flags):
    release = Release(tmp_path)
    release.lesion(release.image(1, side="RIGHT", **elements), 1, mask_of())
    images = cbis_ddsm.index(release.tables(), threads=1).images
    assert images[["laterality", "flags"]].to_numpy().tolist() == [["R", flags]]


def test_tables_there_twice_or_too_deep_are_refused(tmp_path):
    release = Release(tmp_path, prefix="manifest-1")
    release.lesion(release.image(1), 1, mask_of())
    release.tables()
    name = cbis_ddsm.TABLES["train"]
    table = tmp_path / "manifest-1" / name
    (tmp_path / name).write_bytes(table.read_bytes())
    with pytest.raises(ValueError, match=f"expected one {name}, found manifest-1/{name}, {name}"):
        cbis_ddsm.index(tmp_path, threads=1)
    (tmp_path / name).unlink()
    (tmp_path / "a" / "b" / "c").mkdir(parents=True)
    table.rename(tmp_path / "a" / "b" / "c" / name)
    with pytest.raises(ValueError, match=f"expected {name} there or up to 2 folders below, found none"):
        cbis_ddsm.index(tmp_path, threads=1)


def test_two_masks_are_ambiguous_and_one_object_twice_is_not(tmp_path):
    release = Release(tmp_path)
    roi = release.lesion(release.image(1), 1, mask_of())
    path = next(p for p in tmp_path.rglob("000001.dcm") if roi in str(p))
    (path.parent / "copy.dcm").write_bytes(path.read_bytes())
    release.lesion(release.image(2), 1, mask_of())
    index = cbis_ddsm.index(release.tables(), threads=1)
    assert len(index.images) == 2
    assert index.excluded["reason"].tolist() == ["duplicate"]


@pytest.mark.parametrize("empty", ["", None])
def test_objects_without_an_identifier_are_told_apart_by_their_pixels(tmp_path, empty):
    release = Release(tmp_path)
    write = release.write
    release.write = lambda *args, **elements: write(*args, **elements, SOPInstanceUID=empty)
    for number in range(1, 4):
        release.lesion(release.image(number), 1, mask_of())
    copied = next(tmp_path.rglob("*.dcm"))
    (tmp_path / "copy.dcm").write_bytes(copied.read_bytes())
    index = cbis_ddsm.index(release.tables(), threads=2)
    assert index.images["patient_id"].tolist() == ["P_00001", "P_00002", "P_00003"]
    assert index.excluded["reason"].tolist() == ["duplicate"]


def test_a_broken_copy_does_not_take_the_place_of_the_whole_one(tmp_path):
    release, _ = two_images(tmp_path)
    for case in ("Mass-Training_P_00001_LEFT_CC", "Mass-Training_P_00002_LEFT_CC_1"):
        for path in list((tmp_path / case).rglob("*.dcm")):
            (path.parent / f"0{path.name}").write_bytes(path.read_bytes()[:-50])
    index = cbis_ddsm.index(release.tables(), threads=2)
    assert index.images["patient_id"].tolist() == ["P_00001", "P_00002"]
    assert index.excluded["reason"].tolist() == ["truncated"] * 3
    assert all(Path(path).name.startswith("01-1") or "00000" in path for path in index.excluded["path"])


def test_different_objects_of_one_identifier_are_ambiguous(tmp_path):
    release, row = two_images(tmp_path)
    case, _, series, _ = row[11].split("/")
    path = next((tmp_path / case).rglob("*.dcm"))
    instance = pydicom.dcmread(path).SOPInstanceUID
    release.write(case, series, half_ellipse(SHAPE, grey=900), SOPInstanceUID=instance)
    index = cbis_ddsm.index(release.tables(), threads=1)
    assert index.images["patient_id"].tolist() == ["P_00002"]
    assert reasons_of(index) == {(case, "image-ambiguous"): 2, (f"{case}_1", "image-excluded"): 2}


def test_a_small_object_beside_the_image_is_not_the_image(tmp_path):
    release, row = two_images(tmp_path)
    case, _, series, _ = row[11].split("/")
    release.write(case, series, half_ellipse((120, 10)))
    index = cbis_ddsm.index(release.tables(), threads=1)
    assert index.images[["rows", "columns"]].to_numpy().tolist() == [list(SHAPE)] * 2
    assert reasons_of(index) == {(case, "not-in-table"): 1}


def test_two_series_that_claim_one_case_are_both_left_out(tmp_path):
    release = Release(tmp_path)
    for abnormality in (1, 2):
        release.lesion(release.image(1), abnormality, mask_of())
    release.lesion(release.image(2), 1, mask_of())
    index = cbis_ddsm.index(release.tables(), threads=1)
    assert index.images["patient_id"].tolist() == ["P_00002"]
    case = "Mass-Training_P_00001_LEFT_CC"
    assert reasons_of(index) == {
        (case, "image-ambiguous"): 2,
        (f"{case}_1", "image-excluded"): 2,
        (f"{case}_2", "image-excluded"): 2,
    }
    assert index.excluded["detail"].str.contains("name 2 series for one image").sum() == 2


@pytest.mark.parametrize("kept", [5, 9, 11, 12, 13])
def test_a_table_cut_in_a_row_leaves_that_rows_image_out_and_names_the_row(tmp_path, kept):
    release = Release(tmp_path)
    release.lesion(release.image(2), 1, mask_of())
    image = release.image(1)
    release.lesion(image, 1, mask_of())
    release.lesion(image, 2, mask_of(), shared=False)
    table = release.tables() / cbis_ddsm.TABLES["train"]
    lines = table.read_text().splitlines()  # the last cell of a row goes on in the next line
    cells = lines[5].split(",")
    cut = [*cells[:kept], cells[kept][:20]] if kept > 10 else cells[:kept]
    table.write_text("\n".join([*lines[:5], ",".join(cut).replace('"', "")]))
    index = cbis_ddsm.index(tmp_path, threads=1)
    assert index.images["patient_id"].tolist() == ["P_00002"]
    assert (index.excluded["path"] != "").all()
    reasons = index.excluded.set_index("path")["reason"]
    assert f"{table.name}:4" in reasons
    case = "Mass-Training_P_00001_LEFT_CC"
    left = "lesion-excluded" if kept > 11 else "bad-row"
    assert reasons_of(index)[case, left] == 1


@pytest.mark.parametrize("column", [12, 13])
def test_a_row_that_names_another_masss_region_is_bad(tmp_path, column):
    release, row = two_images(tmp_path)
    row[column] = release.rows["train"][1][column]
    index = cbis_ddsm.index(release.tables(), threads=1)
    assert index.images["patient_id"].tolist() == ["P_00002"]
    assert "bad-row" in set(index.excluded["reason"])
    assert not index.excluded["path"].str.contains("P_00002").any()  # these are used


def test_missing_images_and_strangers_are_listed(tmp_path):
    release = Release(tmp_path)
    release.lesion(release.image(1), 1, mask_of())
    release.lesion(release.image(2, full=False), 1, mask_of())
    release.write("Calc-Training_P_00009_LEFT_CC", generate_uid(), half_ellipse(SHAPE))
    release.write("Mass-Training_P_00009_LEFT_CC", generate_uid(), half_ellipse(SHAPE))
    release.write("Mass-Training_P_00001_LEFT_CC", generate_uid(), half_ellipse(SHAPE))
    (tmp_path / "broken.dcm").write_text("nothing")
    (tmp_path / "LICENSE").write_text("text")
    (tmp_path / "calc_case_description_test_set.csv").write_text("anything")
    index = cbis_ddsm.index(release.tables(), threads=1)
    reasons = index.excluded["reason"].value_counts().to_dict()
    assert reasons == {
        **{"missing-file": 1, "image-excluded": 2, "not-dicom": 1},
        **{"not-in-table": 2, "calcification-case": 1},
    }
    found = index.reconciliation.set_index("quantity")["found"]
    assert found["files that are plainly not images"] == 2


HOSTILE = [
    *("../../etc/passwd", "/etc/passwd", "../../../../home/a/b/c.dcm", "a/../b/c.dcm", "x\0y", ""),
    *("case/st\0udy/series/file", "case/study/se\nries/file", "/" * 9, "a/" * 5000, "case/study/series/.."),
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_hostile_path_leaves_its_image_out_and_its_row_is_named(tmp_path, hostile):
    release, row = two_images(tmp_path)
    release.rows["train"].append([*row[:4], "2", *row[5:11], hostile, row[12], row[13]])
    index = cbis_ddsm.index(release.tables(), threads=1)
    assert index.images["patient_id"].tolist() == ["P_00002"]
    place = f"{cbis_ddsm.TABLES['train']}:4"
    reasons = index.excluded.set_index("path")["reason"]
    assert reasons[place] == "bad-row"
    assert reasons.value_counts().to_dict() == {"bad-row": 2, "image-excluded": 2}


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_hostile_path_of_a_region_leaves_its_image_out(tmp_path, hostile):
    release, row = two_images(tmp_path)
    row[12] = row[13] = hostile
    index = cbis_ddsm.index(release.tables(), threads=1)
    assert index.images["patient_id"].tolist() == ["P_00002"]
    reasons = index.excluded.set_index("path")["reason"]
    assert reasons[f"{cbis_ddsm.TABLES['train']}:2"] == "bad-row"
    assert reasons.value_counts().to_dict() == {"bad-row": 1, "lesion-excluded": 1, "not-in-table": 2}


def test_links_out_of_the_root_are_refused(tmp_path):
    release = Release(tmp_path / "root")
    release.lesion(release.image(1), 1, mask_of())
    outside = dicom_file(tmp_path / "outside.dcm", half_ellipse(SHAPE))
    (tmp_path / "root" / "link.dcm").symlink_to(outside)
    (tmp_path / "root" / "folder").symlink_to(tmp_path)
    index = cbis_ddsm.index(release.tables(), threads=1)
    assert index.excluded.to_numpy()[:, :2].tolist() == [
        ["folder", "symbolic-link"],
        ["link.dcm", "outside-root"],
    ]
    with pytest.raises(Excluded, match="outside-root"):
        cbis_ddsm.read_image(tmp_path / "root", "link.dcm")


def test_the_real_tables_are_read():
    train = cbis_ddsm._read_table(DATA / cbis_ddsm.TABLES["train"])
    test = cbis_ddsm._read_table(DATA / cbis_ddsm.TABLES["test"])
    assert (len(train), len(test)) == (1318, 378)
    assert (train["patient_id"].nunique(), test["patient_id"].nunique()) == (691, 201)
    assert (train["image file path"].nunique(), test["image file path"].nunique()) == (1231, 361)
    for column in cbis_ddsm.COLUMNS[-3:]:
        assert train[column].str.fullmatch(r"[\w./-]+\.dcm").all()


def test_older_headers_are_refused_by_name():
    with pytest.raises(ValueError, match=r"missing \['left or right breast', 'image view'"):
        cbis_ddsm._read_table(DATA / "older_header.csv")


def test_a_calcification_table_has_the_columns_of_a_mass_table():
    for name, rows in (("train", 1546), ("test", 326)):
        table = cbis_ddsm._read_table(DATA / f"calc_case_description_{name}_set.csv")
        assert len(table) == rows
        assert table["cropped image file path"].str.fullmatch(r"[\w./-]+\.dcm").all()


def test_nothing_usable(tmp_path):
    with pytest.raises(
        ValueError, match=r"expected mass_case_description_train_set\.csv there or .*, found none"
    ):
        cbis_ddsm.index(tmp_path, threads=1)
    release = Release(tmp_path)
    image = release.image(1, full=False)
    release.lesion(image, 1, None, crop=False)
    with pytest.raises(ValueError, match=r"expected DICOM files of CBIS-DDSM, found 2 \.csv files$"):
        cbis_ddsm.index(release.tables(), threads=1)
    release.lesion(image, 2, None)
    with pytest.raises(
        ValueError, match=r"expected at least one usable image, found none: 2 × missing-file \("
    ):
        cbis_ddsm.index(release.tables(), threads=1)


def test_a_mirror_in_jpeg_is_named_as_one(tmp_path):
    release = Release(tmp_path / "csv")
    release.lesion(release.image(1, full=False), 1, None, crop=False)
    release.tables()
    for number in range(1234):
        path = tmp_path / f"jpeg/1.3.6.1.4.1.9590.{number % 50}/1-{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(
        ValueError, match=r": expected DICOM files of CBIS-DDSM, found 1,234 \.jpg files, 2 \.csv files$"
    ):
        cbis_ddsm.index(tmp_path, threads=1)


def test_a_tree_that_is_a_link_is_named_with_what_to_do(tmp_path):
    release = Release(tmp_path / "disk")
    release.lesion(release.image(1), 1, mask_of())
    root = release.tables()
    linked = tmp_path / "linked"
    linked.mkdir()
    for path in root.iterdir():
        if path.is_dir():
            (linked / path.name).symlink_to(path)
        else:
            (linked / path.name).write_bytes(path.read_bytes())
    with pytest.raises(
        ValueError, match=r"found 2 \.csv files, 'Mass-\w+', 'Mass-\w+', but symbolic links are .*bind-mount"
    ):
        cbis_ddsm.index(linked, threads=1)
    name = cbis_ddsm.TABLES["train"]
    (linked / name).unlink()
    (linked / name).symlink_to(root / name)
    with pytest.raises(ValueError, match=f"expected {name} .*, found '{name}', but symbolic links are not "):
        cbis_ddsm.index(linked, threads=1)


def test_a_root_may_be_a_link(tmp_path):
    release = Release(tmp_path / "disk")
    release.lesion(release.image(1), 1, mask_of())
    (tmp_path / "link").symlink_to(release.tables())
    index, expected = (cbis_ddsm.index(tmp_path / name, threads=1) for name in ("link", "disk"))
    pd.testing.assert_frame_equal(index.images, expected.images)
    assert cbis_ddsm.read_image(tmp_path / "link", index.images["path"][0]).shape == SHAPE
    assert cbis_ddsm.lesion_mask(tmp_path / "link", index.lesions["source"][0], SHAPE).any()


def test_a_row_that_is_there_twice_is_one_mass(tmp_path):
    release, row = two_images(tmp_path)
    release.rows["train"].append(row)
    index = cbis_ddsm.index(release.tables(), threads=1)
    assert len(index.images) == len(index.lesions) == 2
    assert index.excluded[["path", "reason"]].to_numpy().tolist() == [
        [f"{cbis_ddsm.TABLES['train']}:4", "duplicate"]
    ]


@pytest.mark.parametrize(
    ("column", "text"), [("pathology", "MALIGNANT"), ("patient_id", "P_00003"), ("image view", "MLO")]
)
def test_rows_of_one_image_that_differ_leave_it_out(tmp_path, column, text):
    release, row = two_images(tmp_path)
    at = HEADER.index(column)
    release.rows["train"].append([*row[:at], text, *row[at + 1 :]])
    index = cbis_ddsm.index(release.tables(), threads=1)
    assert index.images["patient_id"].tolist() == ["P_00002"]
    assert sorted(index.excluded["reason"]) == ["bad-row", "image-excluded", "image-excluded"]
    assert index.excluded["path"].is_unique


def test_an_image_of_both_splits_is_left_out(tmp_path):
    release, row = two_images(tmp_path)
    release.rows["test"].append(row)
    index = cbis_ddsm.index(release.tables(), threads=1)
    assert index.images["patient_id"].tolist() == ["P_00002"]
    assert sorted(index.excluded["reason"]) == ["bad-row", "image-excluded", "image-excluded"]


def test_an_image_without_a_patient_is_left_out(tmp_path):
    release, row = two_images(tmp_path)
    row[0] = " "
    index = cbis_ddsm.index(release.tables(), threads=1)
    assert index.images["patient_id"].tolist() == ["P_00002"]
    assert sorted(index.excluded["reason"]) == ["bad-row", "image-excluded", "image-excluded"]


def test_one_image_under_two_file_names_is_one_image(tmp_path):
    release = Release(tmp_path)
    case, path = release.image(1)
    release.lesion((case, path), 1, mask_of())
    release.lesion((case, path.replace("000000.dcm", "1-1.dcm")), 2, mask_of((70, 5, 80, 15)))
    index = cbis_ddsm.index(release.tables(), threads=1)
    assert index.images["image_id"].tolist() == [case]
    assert index.lesions["lesion_id"].tolist() == [f"{case}_1", f"{case}_2"]


def test_files_whose_names_are_not_utf8_are_listed(tmp_path):
    release, _ = two_images(tmp_path)
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.dcm")).write_bytes(b"x")
    index = cbis_ddsm.index(release.tables(), threads=1)
    listed = index.excluded[["path", "reason"]].to_numpy().tolist()
    assert listed == [["caf\\udce9.dcm", "name"]]
    "".join(index.excluded["path"]).encode()


def test_rows_may_end_in_a_separator_but_not_in_a_field_without_a_column(tmp_path):
    path = tmp_path / "table.csv"
    header = ",".join(cbis_ddsm.COLUMNS)
    path.write_text(f"{header}\n01,b,c,d,e,f,g,h,\n1,2,3,4,5,6,7,8,\n")
    assert cbis_ddsm._read_table(path).to_numpy().tolist() == [["01", *"bcdefgh"], list("12345678")]
    path.write_text(f"{header}\na,b,c,d,e,f,g,h,i\n")
    with pytest.raises(
        ValueError, match=r"table\.csv: expected a CBIS-DDSM mass table .* more fields than the header"
    ):
        cbis_ddsm._read_table(path)


@pytest.mark.parametrize(
    "content", [b"", b"a,b\n1,2\n1,2,3\n", b"a,b\n\xe9,2\n", b'a,b\n1,"cut', b"\xff\xfe\0"]
)
def test_what_is_no_table_is_refused_in_one_sentence(tmp_path, content):
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"table\.csv: expected .*a CBIS-DDSM mass table") as caught:
        cbis_ddsm._read_table(path)
    assert len(str(caught.value).splitlines()) == 1


def with_holes(path, size):
    """Give the last element of an object a length, and its file as many bytes that are not on the disk."""
    content = path.read_bytes()
    start = content.rindex(b"\xe0\x7f\x10\x00OW") + 12
    path.write_bytes(content[: start - 4] + size.to_bytes(4, "little"))
    os.truncate(path, start + size)


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="only Linux counts the bytes a process reads")
def test_no_pixels_are_read_of_what_cannot_be_a_mask(tmp_path):
    def bytes_read():
        return int(Path("/proc/self/io").read_text().split()[1])

    release = Release(tmp_path)
    rows, columns = 5000, 4000
    for number in range(1, 5):
        release.lesion(release.image(number, Rows=rows, Columns=columns), 1, mask_of())
    for path in tmp_path.rglob("*.dcm"):
        if "CC_1" not in str(path):
            with_holes(path, 2 * rows * columns)
    before = bytes_read()
    with pytest.raises(ValueError, match="4 × lesion-excluded"):  # the masks are too small for these images
        cbis_ddsm.index(release.tables(), threads=2)
    assert bytes_read() - before < 2**20


def test_memory_does_not_grow_with_the_number_of_masks(tmp_path):
    release, shape, masks = Release(tmp_path), (1000, 800), 30
    for number in range(masks):
        image = release.image(number, full=False)
        release.write(image[0], image[1].split("/")[2], half_ellipse(shape))
        release.lesion(image, 1, mask_of(shape=shape))
    release.tables()
    tracemalloc.start()
    index = cbis_ddsm.index(tmp_path, threads=2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(index.lesions) == masks
    assert peak < masks / 2 * shape[0] * shape[1]  # half of all masks, at a byte for each pixel
