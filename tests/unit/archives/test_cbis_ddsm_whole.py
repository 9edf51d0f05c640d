"""The complete mass release from the real tables, in the folder layout of each download tool."""

import cbis_ddsm_layouts as layouts
import pandas as pd
import pydicom
import pytest

from mammoflow.archives import cbis_ddsm
from mammoflow.dicom import grey_values, headers

MASS = ("Mass-Training", "Mass-Test")
SPLITS = {"Mass-Training": "train", "Mass-Test": "test"}

# Where objects lie, where the tables lie, and how these are written.
LAYOUTS = {
    "as the tables say, on Windows": (layouts.as_the_tables_say, "", "\\", "\r\n"),
    "2016, a folder per set": (layouts.by_set, "{part}", "/", "\n"),
    "2017, below a manifest": (layouts.below_a_manifest, "manifest-1600709154662/CBIS-DDSM", "/", "\n"),
    "2017, without NA": (layouts.without_na, "", "/", "\r\n"),
}


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stored")
    layouts.store(folder, layouts.objects())
    return folder


def expected(layout):
    """Images and lesions by the tables and by where objects were put, without the code under test."""
    placed = {}
    for item in layouts.objects():
        placed[item.role, item.case if item.role == "full" else item.region] = item
    images, lesions = {}, []
    region = 0
    for part in MASS:
        for row in layouts.rows(part):
            case = row["image file path"].split("/")[0]
            full, mask = placed["full", case], placed["mask", region]
            resized = case in layouts.RESIZED
            images[case] = {
                "image_id": case,
                "patient_id": row["patient_id"],
                "laterality": row["left or right breast"][0],
                "view": row["image view"],
                "official_split": SPLITS[part],
                "path": layout(full),
                "rows": 87 if resized else 40,
                "columns": 87 if resized else 32,
                "spacing_mm": float("nan"),
                "spacing_source": "",
                "flags": "mask-resized" if resized else "",
            }
            y0, x0, y1, x1 = layouts.box(region)
            lesions.append(
                {
                    "image_id": case,
                    "lesion_id": f"{case}_{row['abnormality id']}",
                    **{"y0": y0, "x0": x0, "y1": y1, "x1": x1},
                    "area_px": (y1 - y0) * (x1 - x0),
                    "area_cm2": float("nan"),
                    "pathology": row["pathology"],
                    "source": layout(mask),
                }
            )
            region += 1
    return pd.DataFrame(images.values()), pd.DataFrame(lesions)


def by(frame, column):
    return frame.sort_values(column, ignore_index=True)


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_gives_the_same_index(tmp_path, stored, name):
    layout, tables, separator, newline = LAYOUTS[name]
    layouts.lay_out(tmp_path, layouts.objects(), layout, stored)
    for part in MASS:
        layouts.write_tables(tmp_path / tables.format(part=part), [part], separator, newline)
    (tmp_path / "LICENSE").write_text("CC BY")
    index = cbis_ddsm.index(tmp_path, threads=2)

    images, lesions = expected(layout)
    pd.testing.assert_frame_equal(index.images, by(images, "image_id"))
    pd.testing.assert_frame_equal(by(index.lesions, "lesion_id"), by(lesions, "lesion_id"))

    found = index.reconciliation.set_index("quantity")["found"]
    assert found[["train images", "test images", "images"]].tolist() == [1231, 361, 1592]
    assert found[["train masses", "test masses", "masses"]].tolist() == [1318, 378, 1696]
    assert found[["train patients", "test patients", "patients"]].tolist() == [691, 201, 892]
    patients = index.images.groupby("official_split")["patient_id"].agg(set)
    assert not patients["train"] & patients["test"]

    numbers = index.lesions["lesion_id"].str.rpartition("_")[2].astype(int)
    per_image = numbers.groupby(index.lesions["image_id"]).agg(["size", "min"])
    assert per_image["size"].value_counts().to_dict() == {1: 1521, 2: 48, 3: 17, 4: 3, 5: 2, 6: 1}
    assert (per_image["min"] > 1).sum() == 22

    # Every file is an image, a mask, a crop, a table, plain or excluded, and none is two of these.
    crops = {layout(item) for item in layouts.objects() if item.role == "crop"}
    names = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.csv")}
    used = [set(index.images["path"]), set(index.lesions["source"]), crops, names]
    on_disk = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert set.union(*used) | {"LICENSE"} == on_disk
    assert sum(map(len, used)) == found["files used"] == 2 + 1592 + 2 * 1696 == len(on_disk) - 1
    assert index.excluded.empty
    assert found["files that are plainly not images"] == 1


def test_crops_and_masks_are_swapped_where_they_are_on_disk():
    masks = {item.region: item for item in layouts.objects() if item.role == "mask"}
    table = [row["ROI mask file path"] for part in MASS for row in layouts.rows(part)]
    said = [int(path.rpartition("/")[2].removesuffix(".dcm")) for path in table]
    swapped = [masks[region].place != place for region, place in enumerate(said)]
    assert sum(swapped) == 587
    crops = {item.region: item for item in layouts.objects() if item.role == "crop"}
    together = [masks[region].series == crops[region].series for region in masks]
    assert (sum(together), together.count(False)) == (1593, 103)
    assert sum(item.description == "cropped images" for item in masks.values()) == 2


def test_objects_have_the_headers_of_a_real_one(stored):
    real = pydicom.dcmread(layouts.REAL)
    assert headers.gate(headers.read_header(layouts.REAL)) is None
    for item in layouts.objects()[:3]:
        own = pydicom.dcmread(stored / str(item.number))
        assert own.file_meta.MediaStorageSOPInstanceUID == own.SOPInstanceUID
        assert own.pixel_array.tolist() == layouts.pixels(item).tolist()
        changed = {element.keyword for element in real if own[element.tag] != element}
        assert {element.tag for element in own} == {element.tag for element in real}
        assert changed <= {
            *("SOPInstanceUID", "SeriesDescription", "PatientName", "PatientID", "StudyInstanceUID"),
            *(
                "SeriesInstanceUID",
                "InstanceNumber",
                "Laterality",
                "Rows",
                "Columns",
                "BitsAllocated",
                "BitsStored",
            ),
            *("HighBit", "PixelData"),
        }


def test_the_real_object_is_the_crop_that_the_table_calls_a_mask():
    row = next(
        row for row in layouts.rows("Mass-Training") if "_P_00004_LEFT_CC_1/" in row["ROI mask file path"]
    )
    header = headers.read_header(layouts.REAL)
    assert row["ROI mask file path"].split("/")[:3:2] == [header.PatientID, header.SeriesInstanceUID]
    assert layouts.REAL.name.endswith(row["ROI mask file path"].rpartition("/")[2])
    assert cbis_ddsm._brighter(grey_values.decode(layouts.REAL)) is None


def test_calcifications_are_no_surprise(tmp_path, stored):
    cases = {"Mass-Test_P_00016_LEFT_CC", "Mass-Test_P_00016_LEFT_CC_1"}
    items = [item for item in layouts.objects() if item.case in cases]
    layouts.lay_out(tmp_path, items, layouts.of_2017, stored)
    calcifications = layouts.objects(("Calc-Test",))[:30]
    more = tmp_path / "more"
    more.mkdir()
    layouts.store(more, calcifications)
    layouts.lay_out(tmp_path, calcifications, layouts.of_2017, more)
    for item in calcifications:
        (more / str(item.number)).unlink()
    layouts.write_tables(tmp_path, tuple(layouts.TABLES))
    index = cbis_ddsm.index(tmp_path, threads=1)
    assert index.images["image_id"].tolist() == ["Mass-Test_P_00016_LEFT_CC"]
    on_disk = index.excluded[[(tmp_path / path).is_file() for path in index.excluded["path"]]]
    assert set(on_disk["path"]) == {layouts.of_2017(item) for item in calcifications}
    assert set(on_disk["reason"]) == {"calcification-case"}
    assert set(index.excluded["reason"]) == {"calcification-case", "missing-file"}
    found = index.reconciliation.set_index("quantity")["found"]
    assert found["files that are plainly not images"] == 2  # the tables of the calcifications
    assert found["files used"] == 2 + 3
