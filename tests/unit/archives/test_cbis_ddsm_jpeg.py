import csv
import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from releases_by_hand import half_ellipse, rectangle

from mammoflow.archives import cbis_ddsm, cbis_ddsm_jpeg
from mammoflow.base.contracts.index import EXCLUDED, IMAGES, LESIONS, RECONCILIATION
from mammoflow.base.exclusions import Excluded
from mammoflow.phantoms import cohorts

SHAPE = (320, 240)
BOX = (100, 60, 180, 150)
INFO = "csv/dicom_info.csv"
TABLES = {split: f"csv/{name}" for split, name in cbis_ddsm.TABLES.items()}
INFO_COLUMNS = (
    *("file_path", "image_path", "PatientID", "SeriesDescription"),
    *("SeriesInstanceUID", "SOPInstanceUID", "Laterality"),
)


class Release:
    """A release of pictures, written one by one."""

    def __init__(self, root):
        self.root = root
        self.rows = {"train": [], "test": []}
        self.info = []

    def add(self, case, series, name, pixels, quality=90, **changes):
        """Write a picture and its row."""
        path = f"jpeg/{series}/{name}.jpg"
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(self.root / path, quality=quality)
        row = {
            "file_path": f"CBIS-DDSM/dicom/{series}/{name}.dcm",
            "image_path": f"CBIS-DDSM/{path}",
            "PatientID": case,
            "SeriesInstanceUID": series,
            "SOPInstanceUID": f"{series}.{name}",
            "Laterality": "L",
        }
        self.info.append(row | changes)
        return path

    def case(self, number, mask=None, split="train", crop_first=True, apart=False):
        """An image with one mass; returns the paths of image, crop and mask."""
        case = f"Mass-{'Training' if split == 'train' else 'Test'}_P_{number:05d}_LEFT_CC"
        image = self.add(case, f"1.{number}", "1-204", half_ellipse(SHAPE, 200))
        mask = rectangle(SHAPE, BOX) if mask is None else mask
        mask = mask * 255 if mask.dtype == bool else mask
        shown = half_ellipse((80, 90), 180)
        series = (f"2.{number}", f"3.{number}" if apart else f"2.{number}")
        objects = ((shown, mask) if crop_first else (mask, shown), ("1-041", "2-041"))
        paths = [
            self.add(f"{case}_1", name, place, pixels)
            for name, pixels, place in zip(series, *objects, strict=True)
        ]
        self.rows[split].append(
            [f"P_{number:05d}", "LEFT", "CC", "1", "MALIGNANT"]
            + [f"{case}/9.9/1.{number}/000000.dcm"]
            + [f"{case}_1/9.9/{name}/00000{place}.dcm\n" for place, name in enumerate(series)]
        )
        return image, *(paths if crop_first else paths[::-1])

    def finish(self):
        for split, name in TABLES.items():
            self._table(name, cbis_ddsm.COLUMNS, self.rows[split])
        rows = [[row.get(column, "") for column in INFO_COLUMNS] for row in self.info]
        self._table(INFO, INFO_COLUMNS, rows)
        return cbis_ddsm_jpeg.index(self.root, threads=1)

    def _table(self, name, columns, rows):
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([columns, *rows])
        (self.root / name).parent.mkdir(exist_ok=True)
        (self.root / name).write_text(text.getvalue())


@pytest.fixture
def written(tmp_path):
    return Release(tmp_path)


def reasons(index):
    return index.excluded.set_index("path")["reason"].to_dict()


def test_index(written, tmp_path):
    image, crop, mask = written.case(1)
    other, *_ = written.case(2, split="test", crop_first=False, apart=True)
    (tmp_path / "csv").mkdir()
    (tmp_path / "csv/meta.csv").write_text("text")
    (tmp_path / "csv/calc_case_description_train_set.csv").write_text("text")
    index = written.finish()
    for table in (IMAGES, LESIONS, EXCLUDED, RECONCILIATION):
        table.check(getattr(index, table.name))
    assert index.excluded.empty
    assert index.images["path"].tolist() == [other, image]
    assert index.images["official_split"].tolist() == ["test", "train"]
    assert index.images[["rows", "columns"]].values.tolist() == [list(SHAPE)] * 2
    assert index.images["spacing_mm"].isna().all()
    assert set(index.images["flags"]) == {""}
    assert index.lesions["source"].tolist()[1] == mask
    assert index.lesions[["y0", "x0", "y1", "x1"]].values.tolist() == [list(BOX)] * 2
    found = index.reconciliation.set_index("quantity")["found"]
    assert found[["images", "train masses", "test masses"]].tolist() == [2, 1, 1]
    assert found["files used"] == 3 + 6
    assert found["files that are plainly not images"] == 2
    pixels = cbis_ddsm_jpeg.read_image(tmp_path, image)
    assert pixels.dtype == np.uint16
    assert pixels.max() <= 255
    assert crop not in set(index.lesions["source"])


@pytest.mark.parametrize("quality", [40, 75, 100])
def test_a_mask_is_what_is_bright_however_it_is_compressed(written, tmp_path, quality):
    expected = rectangle(SHAPE, BOX)
    written.add("", "0", "mask", expected * 255, quality=quality)
    values = np.unique(cbis_ddsm_jpeg.read_image(tmp_path, "jpeg/0/mask.jpg"))
    assert quality == 100 or len(values) > 2
    found = cbis_ddsm_jpeg.lesion_mask(tmp_path, "jpeg/0/mask.jpg", SHAPE)
    np.testing.assert_array_equal(found, expected)


def test_a_mask_of_another_size_is_resized_if_it_has_the_images_proportions(written, tmp_path):
    larger = tuple(round(side * 50 / 43.5) for side in SHAPE)
    scaled = rectangle(larger, tuple(round(edge * 50 / 43.5) for edge in BOX))
    written.case(1, mask=scaled)
    wrong = written.case(2, mask=rectangle((SHAPE[0], SHAPE[1] - 20), BOX))
    index = written.finish()
    assert index.images["flags"].tolist() == ["mask-resized"]
    np.testing.assert_allclose(index.lesions.loc[0, ["y0", "x0", "y1", "x1"]].astype(int), BOX, atol=1)
    assert [reasons(index)[path] for path in wrong] == ["lesion-excluded", "mask-size", "mask-size"]


def test_a_crop_of_the_images_size_is_no_mask(written):
    image, crop, mask = written.case(1, mask=half_ellipse(SHAPE, 180))
    with pytest.raises(ValueError, match="expected at least one usable image, found none"):
        written.finish()
    written.case(2)
    found = reasons(written.finish())
    assert [found[path] for path in (image, crop, mask)] == [
        "lesion-excluded",
        "mask-missing",
        "mask-missing",
    ]


@pytest.mark.parametrize("grey", [0, 255])
def test_a_mask_without_a_mass_is_left_out(written, grey):
    written.case(1)
    image, crop, mask = written.case(2, mask=np.full(SHAPE, grey, np.uint8))
    found = reasons(written.finish())
    assert [found[path] for path in (image, crop, mask)] == [
        "lesion-excluded",
        "mask-constant",
        "mask-constant",
    ]


def test_no_picture_and_no_row_is_forgotten(written, tmp_path):
    written.case(1)
    lost, crop, mask = written.case(2)
    (tmp_path / lost).unlink()
    damaged, *_ = written.case(3)
    (tmp_path / damaged).write_bytes((tmp_path / damaged).read_bytes()[:40])
    stranger = written.add("Mass-Training_P_00009_LEFT_CC", "7", "1-001", half_ellipse(SHAPE, 90))
    calcification = written.add("Calc-Test_P_00009_LEFT_CC", "8", "1-001", half_ellipse(SHAPE, 90))
    absent = written.add("Calc-Test_P_00010_LEFT_CC", "9", "1-001", half_ellipse(SHAPE, 90))
    (tmp_path / absent).unlink()
    written.info.append(dict(written.info[0]))
    unlisted = tmp_path / "jpeg/1.1/9-999.jpg"
    unlisted.write_bytes((tmp_path / "jpeg/1.1/1-204.jpg").read_bytes())
    index = written.finish()
    assert index.images["image_id"].tolist() == ["Mass-Training_P_00001_LEFT_CC"]
    found = reasons(index)
    of_damaged = {
        path: reason for path, reason in found.items() if path.endswith("3/1-204.jpg") or ".3/" in path
    }
    assert of_damaged.pop(damaged) == "undecodable"
    assert {path: reason for path, reason in found.items() if path not in of_damaged and path != damaged} == {
        f"{INFO}:5": "missing-file",
        f"{INFO}:{len(written.info) + 1}": "duplicate",
        "Mass-Training_P_00002_LEFT_CC/9.9/1.2/000000.dcm": "missing-file",
        crop: "image-excluded",
        mask: "image-excluded",
        stranger: "not-in-table",
        calcification: "calcification-case",
        "jpeg/1.1/9-999.jpg": "not-in-table",
    }
    on_disk = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.jpg")}
    used = {*index.images["path"], *index.lesions["source"]}
    assert on_disk - set(found) - used == {"jpeg/2.1/1-041.jpg"}  # the crop of the one that is used


def test_a_second_copy_of_the_mirror_is_listed(written, tmp_path):
    image, *_ = written.case(1)
    copy = tmp_path / "more" / image
    copy.parent.mkdir(parents=True)
    copy.write_bytes((tmp_path / image).read_bytes())
    index = written.finish()
    assert reasons(index) == {f"more/{image}": "duplicate"}
    assert index.images["path"].tolist() == [image]


def test_windows_separators_and_another_prefix(written):
    written.case(1)
    for row in written.info:
        row["image_path"] = "archive\\" + row["image_path"].removeprefix("CBIS-DDSM/").replace("/", "\\")
    assert len(written.finish().images) == 1


def test_the_side_of_the_table_of_objects_is_compared(written):
    written.case(1)
    written.info[0]["Laterality"] = "R"
    assert written.finish().images["flags"].tolist() == ["laterality-header"]


def test_what_is_missing_is_named(written, tmp_path):
    written.case(1)
    written.finish()
    with pytest.raises(
        ValueError, match=r"expected DICOM files of CBIS-DDSM, found 3 \.csv files, 3 \.jpg files$"
    ):
        cbis_ddsm.index(tmp_path, threads=1)
    (tmp_path / INFO).write_text("image_path,PatientID\n")
    with pytest.raises(ValueError, match=r"missing \['SeriesInstanceUID', 'SOPInstanceUID', 'Laterality'\]"):
        cbis_ddsm_jpeg.index(tmp_path, threads=1)
    (tmp_path / INFO).unlink()
    with pytest.raises(ValueError, match=r"expected dicom_info\.csv there or up to 2 folders below"):
        cbis_ddsm_jpeg.index(tmp_path, threads=1)


def test_no_path_leaves_the_root(written, tmp_path):
    written.case(1)
    with pytest.raises(Excluded, match="outside-root"):
        cbis_ddsm_jpeg.read_image(tmp_path / "csv", "../jpeg/1.1/1-204.jpg")


@pytest.fixture(scope="module")
def forms(tmp_path_factory):
    """A cohort of film phantoms in both forms, and their indexes."""
    entry = {"cohort": "film", "patients": 5, "detector": [300, 220], "pixel_mm": 0.4}
    roots = {archive: tmp_path_factory.mktemp(archive) for archive in ("cbis-ddsm", "cbis-ddsm-jpeg")}
    records = [cohorts.write(root, entry, seed=3, archive=archive) for archive, root in roots.items()]
    indexes = [
        module.index(root, 1)
        for module, root in zip((cbis_ddsm, cbis_ddsm_jpeg), roots.values(), strict=True)
    ]
    return list(roots.values()), records, indexes


def test_phantoms_in_both_forms_have_the_same_images_and_masses(forms):
    (root, jpeg_root), records, (index, jpeg) = forms
    assert records[0]["images"] == records[1]["images"] == len(jpeg.images)
    same = ["image_id", "patient_id", "laterality", "view", "official_split", "rows", "columns", "flags"]
    pd.testing.assert_frame_equal(jpeg.images[same], index.images[same])
    pd.testing.assert_frame_equal(jpeg.lesions.drop(columns="source"), index.lesions.drop(columns="source"))
    assert sorted(jpeg.excluded["reason"]) == sorted(index.excluded["reason"])
    for path, jpeg_path in zip(index.images["path"], jpeg.images["path"], strict=True):
        pixels = cbis_ddsm.read_image(root, path) / 256
        assert np.abs(cbis_ddsm_jpeg.read_image(jpeg_root, jpeg_path) - pixels).mean() < 3


def test_phantom_pictures_are_known_as_phantoms(forms, tmp_path):
    (_, root), _, _ = forms
    path = next((root / "jpeg").glob("*/*.jpg"))
    (tmp_path / path.relative_to(root)).parent.mkdir(parents=True)
    Image.open(path).save(tmp_path / path.relative_to(root), comment=None)
    with pytest.raises(ValueError, match="expected a folder for phantoms, got one with other images"):
        cohorts.clear(tmp_path)
    (tmp_path / path.relative_to(root)).write_bytes(path.read_bytes())
    cohorts.clear(tmp_path)
    assert list(tmp_path.iterdir()) == []
