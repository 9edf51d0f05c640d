"""One's own annotated images: what is read, and what is left out or refused."""

import copy
import json
import os
import random
import re
from functools import reduce
from operator import getitem

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as oracle

from mammoflow.archives import annotated, coco_masks, release
from mammoflow.base.boxes import bounding_box
from mammoflow.base.contracts.index import EXCLUDED, IMAGES, LESIONS, RECONCILIATION
from mammoflow.base.exclusions import Excluded
from mammoflow.phantoms import cohorts

SHAPE = (40, 30)
CATEGORIES = [{"id": 1, "name": "mass"}, {"id": 2, "name": "calcification"}]
BOX = [5, 10, 3, 20]


def picture(path, value=7, shape=SHAPE):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full(shape, value, np.uint16)).save(path, "PNG")


def image(number, name, **keys):
    return {"id": number, "file_name": name, "patient": f"p{number}", **keys}


def annotation(image_id, category_id=1, bbox=BOX, **keys):
    return {"image_id": image_id, "category_id": category_id, "bbox": bbox, **keys}


def coco(root, images, annotations, categories=CATEGORIES):
    content = {"images": images, "annotations": annotations, "categories": categories}
    (root / "coco.json").write_text(json.dumps(content))


def of_coco(root, masses=("mass",), **others):
    masses = masses if masses == "all" else list(masses)
    return checked(annotated.index(root, 2, {"boxes": "coco.json", "masses": masses, **others}), root)


def of_tables(root, boxes, images, coordinates="edges", masses="all"):
    (root / "boxes.csv").write_text(boxes)
    (root / "images.csv").write_text(images)
    said = {"boxes": "boxes.csv", "images": "images.csv", "masses": masses, "coordinates": coordinates}
    return checked(annotated.index(root, 1, said), root)


def checked(index, root):
    """The index, whose tables are right, and whose masses are drawn as they are indexed."""
    for table in (IMAGES, LESIONS, EXCLUDED, RECONCILIATION):
        table.check(getattr(index, table.name))
    shapes = index.images.set_index("image_id")[["rows", "columns"]]
    for lesion in index.lesions.itertuples():
        mask = annotated.lesion_mask(root, lesion.source, tuple(shapes.loc[lesion.image_id]))
        assert bounding_box(mask) == (lesion.y0, lesion.x0, lesion.y1, lesion.x1)
        assert np.count_nonzero(mask) == lesion.area_px
    assert not index.excluded["path"].duplicated().any()
    return index


def boxes(index):
    return index.lesions[["y0", "x0", "y1", "x1"]].to_numpy().tolist()


def reasons(index):
    return dict(zip(index.excluded["path"], index.excluded["reason"], strict=True))


def flags(index):
    return dict(zip(index.images["image_id"], index.images["flags"], strict=True))


def counted(index):
    return index.reconciliation.set_index("quantity")["found"].to_dict()


# ---- COCO ------------------------------------------------------------------------------------------------


def test_coco_with_boxes_polygons_and_runs(tmp_path):
    for name in "abc":
        picture(tmp_path / f"{name}.png")
    mask = np.zeros(SHAPE, bool)
    mask[3:9, 4:20] = True
    runs = {
        "size": list(SHAPE),
        "counts": oracle.encode(np.asfortranarray(mask, np.uint8))["counts"].decode(),
    }
    facts = {"laterality": "left", "view": "cc", "spacing_mm": 0.1, "split": "train"}
    images = [image(1, "a.png", **facts), image(2, "b.png"), image(3, "c.png", height=40, width=30)]
    annotations = [
        annotation(1),
        annotation(1, segmentation=[[0, 0, 6, 0, 6, 6, 0, 6]]),
        annotation(1, category_id=2),
        annotation(3, segmentation=runs),
    ]
    coco(tmp_path, images, annotations)
    index = of_coco(tmp_path)
    assert index.images["image_id"].tolist() == ["a", "b", "c"]
    first = index.images.iloc[0]
    assert first[["patient_id", "laterality", "view", "official_split"]].tolist() == [
        "p1",
        "L",
        "CC",
        "train",
    ]
    assert (first["spacing_mm"], first["spacing_source"]) == (0.1, "table")
    assert index.images["spacing_mm"].isna().tolist() == [False, True, True]
    assert boxes(index) == [[10, 5, 30, 8], [0, 0, 6, 6], [3, 4, 9, 20]]
    assert index.lesions["source"].tolist() == ["coco.json#0", "coco.json#1", "coco.json#3"]
    assert index.lesions["area_cm2"].iloc[0] == pytest.approx(60 * 0.01 / 100)
    assert index.lesions["area_cm2"].isna().tolist() == [False, False, True]
    assert set(index.lesions["pathology"]) == {"mass"}
    assert reasons(index) == {}
    assert flags(index) == {
        "a": "",
        "b": "laterality-unknown;view-unknown",
        "c": "laterality-unknown;view-unknown",
    }
    found = counted(index)
    assert (found["images with masses"], found["images without masses"], found["lesions"]) == (2, 1, 3)
    assert found["annotations ignored: calcification"] == 1


def test_unknown_sides_and_views_are_announced(tmp_path):
    for name in "ab":
        picture(tmp_path / f"{name}.png")
    coco(tmp_path, [image(1, "a.png"), image(2, "b.png", laterality="L")], [annotation(1)])
    said = release.remarks(of_coco(tmp_path))
    assert said == ["the side of 1 images is unknown", "the view of 2 images is unknown"]


def test_an_image_with_other_findings_only_is_neither_positive_nor_normal(tmp_path):
    for name in "abc":
        picture(tmp_path / f"{name}.png")
    images = [image(number, f"{name}.png") for number, name in enumerate("abc")]
    coco(
        tmp_path, images, [annotation(0), annotation(0, 2), annotation(1, 2), annotation(1, 2, [0, 0, 0, 0])]
    )
    index = of_coco(tmp_path)
    assert index.images["image_id"].tolist() == ["a", "c"]
    assert reasons(index) == {
        "b.png": "other-findings",
        "coco.json#2": "image-excluded",
        "coco.json#3": "image-excluded",
    }


def test_all_categories_may_be_masses(tmp_path):
    picture(tmp_path / "a.png")
    coco(tmp_path, [image(1, "a.png")], [annotation(1, 2), annotation(1, 9, [0, 0, 4, 4])])
    assert len(of_coco(tmp_path, masses="all").lesions) == 2


def test_the_table_of_images_goes_before_the_keys_of_coco(tmp_path):
    picture(tmp_path / "a.png")
    picture(tmp_path / "b.png")
    images = [image(1, "a.png", view="CC", laterality="R"), {"id": 2, "file_name": "b.png", "patient_id": 5}]
    coco(tmp_path, images, [annotation(1)])
    (tmp_path / "images.csv").write_text("image;patient;view;spacing_mm\na;P;MLO;0,07\nimages.csv;x;;\n")
    index = of_coco(tmp_path, images="images.csv")
    first = index.images.iloc[0]
    assert first[["patient_id", "laterality", "view", "spacing_mm"]].tolist() == ["P", "R", "MLO", 0.07]
    assert index.images["patient_id"].tolist() == ["P", "5"]
    assert reasons(index) == {"images.csv:3": "missing-file"}


def test_numbers_may_be_written_as_fractions_and_missing_ones_as_nan(tmp_path):
    for name in "abc":
        picture(tmp_path / f"{name}.png")
    patients = {"a.png": 1.0, "b.png": 1, "c.png": 2.5}
    images = [
        image(name, name, view=float("nan"), spacing_mm=float("nan")) | {"patient": patient}
        for name, patient in patients.items()
    ]
    coco(tmp_path, images, [annotation("a.png")])
    index = of_coco(tmp_path)
    assert index.images["patient_id"].tolist() == ["1", "1", "2.5"]
    assert set(index.images["view"]) == {""}
    assert index.images["spacing_mm"].isna().all()


def test_an_image_that_coco_does_not_list_is_no_normal_image(tmp_path):
    for name in "abc":
        picture(tmp_path / f"{name}.png")
    coco(tmp_path, [image(1, "a.png")], [annotation(1)])
    (tmp_path / "images.csv").write_text("image,patient\na.png,P\nb.png,Q\n")
    index = of_coco(tmp_path, images="images.csv")
    assert index.images["image_id"].tolist() == ["a"]
    assert set(reasons(index).values()) == {"not-in-table"}
    assert set(reasons(index)) == {"b.png", "c.png", "images.csv:3"}


@pytest.mark.parametrize(
    "name",
    [
        "x/y/a.png",
        "y/a.png",
        "a.png",
        "a",
        "y\\a.png",
        "./x/y/a.png",
        "/data/of/others/x/y/a.png",
        "C:\\x\\y\\a.png",
    ],
)
def test_names_with_and_without_folders_and_suffix(tmp_path, name):
    picture(tmp_path / "x/y/a.png")
    picture(tmp_path / "x/y/b.png")
    coco(tmp_path, [image("one", name)], [annotation("one")])
    index = of_coco(tmp_path)
    assert index.images["path"].tolist() == ["x/y/a.png"]
    assert reasons(index) == {"x/y/b.png": "not-in-table"}


def test_files_of_one_name_are_told_apart_by_their_folders(tmp_path):
    for folder in ("p1", "p2"):
        picture(tmp_path / folder / "left.png", value=ord(folder[1]))
    coco(tmp_path, [image(1, "p1/left.png"), image(2, "p2/left.png")], [annotation(2)])
    index = of_coco(tmp_path)
    assert index.images["image_id"].tolist() == ["p1_left", "p2_left"]
    assert index.lesions["image_id"].tolist() == ["p2_left"]


def test_a_name_that_fits_several_files_means_none_unless_they_are_copies(tmp_path):
    for folder in ("p1", "p2"):
        picture(tmp_path / folder / "left.png", value=ord(folder[1]))
        picture(tmp_path / folder / "right.png")
    coco(tmp_path, [image(1, "left.png"), image(2, "right.png")], [annotation(1), annotation(2)])
    index = of_coco(tmp_path)
    assert index.images["path"].tolist() == ["p1/right.png"]
    assert reasons(index) == {
        "coco.json#image-0": "duplicate",
        "coco.json#0": "missing-image",
        "p1/left.png": "not-in-table",
        "p2/left.png": "not-in-table",
        "p2/right.png": "duplicate",
    }


@pytest.mark.parametrize("numbers", [(1, "1"), ("1", 1), ("x", "x"), (0, 0)])
def test_identifiers_may_be_numbers_or_texts(tmp_path, numbers):
    picture(tmp_path / "a.png")
    coco(tmp_path, [image(numbers[0], "a.png")], [annotation(numbers[1], bbox=BOX) | {"category_id": "1"}])
    assert len(of_coco(tmp_path).lesions) == 1


def test_identifiers_of_images_can_be_names_of_files(tmp_path):
    names = ["IMG (1).png", "ä/b.png", "a.b.png", "..png"]
    for name in names:
        picture(tmp_path / name)
    coco(tmp_path, [image(number, name) for number, name in enumerate(names)], [annotation(0)])
    assert sorted(of_coco(tmp_path).images["image_id"]) == ["IMG__1_", "_", "a.b", "b"]


# ---- tables ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "coordinates", "numbers"),
    [
        ("x0,y0,x1,y1", "edges", "5,10,8,30"),
        ("x0,y0,x1,y1", "pixels-from-0", "5,10,7,29"),
        ("x0,y0,x1,y1", "pixels-from-1", "6,11,8,30"),
        ("x,y,width,height", "edges", "5,10,3,20"),
        ("x,y,width,height", "pixels-from-0", "5,10,3,20"),
        ("x,y,width,height", "pixels-from-1", "6,11,3,20"),
    ],
)
def test_what_the_numbers_of_a_table_mean(tmp_path, columns, coordinates, numbers):
    picture(tmp_path / "a.png")
    index = of_tables(tmp_path, f"image,{columns}\na,{numbers}\n", "image,patient\na,1\n", coordinates)
    assert boxes(index) == [[10, 5, 30, 8]]
    assert index.lesions["source"][0].startswith("boxes.csv:2#5.0,10.0,")


def test_a_table_of_boxes_and_images(tmp_path):
    for name in "abcdef":
        picture(tmp_path / f"{name}.png")
    rows = [
        "image;category;x0;y0;x1;y1",
        "a;mass;1,5;2;9;9",
        "a;mass;20;20;25;25",
        "b;cyst;1;1;5;5",
        "c;;;;;",
        "d;mass;;;;",
        "e;;1;1;5;5",
        "g;mass;1;1;5;5",
    ]
    images = "image,patient,laterality,split\n" + "".join(
        f"{name}.png,P{name},L,test\n" for name in "abcdefg"
    )
    index = of_tables(tmp_path, "\n".join(rows), images, masses=["mass"])
    assert index.images["image_id"].tolist() == ["a", "c", "f"]
    assert boxes(index) == [[2, 2, 9, 9], [20, 20, 25, 25]]
    assert set(index.images["official_split"]) == {"test"}
    assert reasons(index) == {
        "b.png": "other-findings",
        "boxes.csv:4": "image-excluded",
        "d.png": "lesion-excluded",
        "boxes.csv:6": "lesion-without-coordinates",
        "e.png": "lesion-excluded",
        "boxes.csv:7": "bad-annotation",
        "boxes.csv:8": "missing-file",
        "images.csv:8": "missing-file",
    }


# ---- nothing vanishes ------------------------------------------------------------------------------------


def test_every_file_row_and_annotation_is_accounted_for(tmp_path):
    for name in ("a", "b", "c", "d", "sub/a", "unlisted"):
        picture(tmp_path / f"{name}.png")
    (tmp_path / "d.png").write_bytes(b"no picture")
    (tmp_path / "notes.txt").write_text("about")
    (tmp_path / ".DS_Store").touch()
    names = ["a.png", "b.png", "c.png", "d.png", "sub/a.png", "lost.png", "../a.png"]
    annotations = [
        annotation(0),
        annotation(0, 2),
        annotation(0),  # a second time
        annotation(1, 2),
        annotation(2),
        annotation(2, bbox=[90, 90, 5, 5]),
        annotation(3),
        annotation(5),
        annotation(99),
        annotation(4, iscrowd=1),
    ]
    coco(tmp_path, [image(number, name) for number, name in enumerate(names)], annotations)
    (tmp_path / "images.csv").write_text("image,patient\na.png,P\nnowhere.png,Q\n")
    index = of_coco(tmp_path, images="images.csv")

    used = {"coco.json", "images.csv", *index.images["path"]}
    excluded = set(index.excluded["path"])
    on_disk = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert not used & excluded
    assert on_disk - used - excluded == {"notes.txt", ".DS_Store"}
    found = counted(index)
    assert found["files that are plainly not images"] == 2
    assert found["files used"] == len(used)
    assert found["files and rows excluded"] == len(index.excluded) == len(excluded)

    listed = {f"coco.json#image-{number}" for number in range(len(names))}
    assert (
        {path for path in excluded if "#image-" in path}
        == {"coco.json#image-5", "coco.json#image-6"}
        <= listed
    )
    places = {f"coco.json#{number}" for number in range(len(annotations))}
    drawn, ignored = set(index.lesions["source"]), {"coco.json#1"}
    assert drawn | ignored | (excluded & places) == places
    assert not drawn & excluded
    assert found["annotations ignored: calcification"] == len(ignored)
    assert {path for path in excluded if path.startswith("images.csv:")} == {"images.csv:3"}
    assert reasons(index) == {
        "b.png": "other-findings",
        "c.png": "lesion-excluded",
        "d.png": "not-dicom",
        "sub/a.png": "lesion-excluded",
        "unlisted.png": "not-in-table",
        "coco.json#2": "duplicate",
        "coco.json#3": "image-excluded",
        "coco.json#4": "image-excluded",
        "coco.json#5": "contour-outside",
        "coco.json#6": "image-excluded",
        "coco.json#7": "missing-image",
        "coco.json#8": "missing-image",
        "coco.json#9": "crowd",
        "coco.json#image-5": "missing-file",
        "coco.json#image-6": "outside-root",
        "images.csv:3": "missing-file",
    }


def test_boxes_beyond_the_image_are_flagged(tmp_path):
    picture(tmp_path / "a.png")
    coco(tmp_path, [image(1, "a.png")], [annotation(1, bbox=[-5, 0, 10, 10]), annotation(1)])
    index = of_coco(tmp_path)
    assert flags(index) == {"a": "box-clipped;laterality-unknown;view-unknown"}
    assert boxes(index) == [[0, 0, 10, 5], [10, 5, 30, 8]]


def test_annotations_of_another_size_are_not_those_of_the_image(tmp_path):
    picture(tmp_path / "a.png")
    picture(tmp_path / "b.png")
    coco(
        tmp_path,
        [image(1, "a.png", height=400, width=300), image(2, "b.png")],
        [annotation(1), annotation(2)],
    )
    assert reasons(of_coco(tmp_path)) == {"a.png": "image-size", "coco.json#0": "image-excluded"}


# ---- files of images -------------------------------------------------------------------------------------


def test_the_header_of_a_dicom_file_gives_what_the_user_does_not(tmp_path):
    cohort = {"cohort": "digital", "patients": 1, "detector": [400, 300], "pixel_mm": 0.3, "masses": 1}
    cohorts.write(tmp_path, cohort, seed=0)
    names = sorted(path.name for path in (tmp_path / "AllDICOMs").glob("200*.dcm"))
    images = [image(number, name) for number, name in enumerate(names)]
    images[0] |= {"laterality": "L", "view": "XCCL", "spacing_mm": 0.5}
    images[1] |= {"laterality": "R"}
    coco(tmp_path, images, [annotation(0)])
    index = of_coco(tmp_path)
    by_name = index.images.set_index("path")
    for name in names:
        row = by_name.loc[f"AllDICOMs/{name}"]
        _, _, _, side, view, _ = name.split("_")
        if name == names[0]:
            assert row[["view", "spacing_mm", "spacing_source"]].tolist() == ["XCCL", 0.5, "table"]
        else:
            assert (row["view"], row["spacing_mm"]) == ({"ML": "MLO", "CC": "CC"}[view], 0.3)
        contradicted = name in names[:2] and row["laterality"] != side
        assert row["flags"] == ("laterality-header" if contradicted else "")
    assert annotated.read_image(tmp_path, f"AllDICOMs/{names[0]}").shape == (400, 300)


@pytest.mark.parametrize("suffix", ["png", "tif", "jpg"])
def test_pictures_of_each_format(tmp_path, suffix):
    grey = np.arange(1200, dtype=np.uint16).reshape(SHAPE) * (1 if suffix != "jpg" else 0) + 9
    Image.fromarray(grey if suffix != "jpg" else grey.astype(np.uint8)).save(tmp_path / f"a.{suffix}")
    coco(tmp_path, [image(1, f"a.{suffix}")], [annotation(1)])
    index = of_coco(tmp_path)
    assert index.images[["rows", "columns"]].to_numpy().tolist() == [list(SHAPE)]
    np.testing.assert_array_equal(annotated.read_image(tmp_path, f"a.{suffix}"), grey)


def test_links(tmp_path):
    root, outside = tmp_path / "root", tmp_path / "outside"
    picture(root / "a.png")
    picture(outside / "b.png")
    (root / "b.png").symlink_to(outside / "b.png")
    (root / "c.png").symlink_to(root / "a.png")
    (root / "d.png").symlink_to(root / "nowhere.png")
    (root / "folder").symlink_to(outside)
    coco(root, [image(number, f"{name}.png") for number, name in enumerate("abcd")], [annotation(0)])
    index = of_coco(root)
    assert index.images["image_id"].tolist() == ["a", "c"]
    assert reasons(index) == {
        "b.png": "outside-root",
        "d.png": "missing-file",
        "folder": "symbolic-link",
        "coco.json#image-1": "missing-file",
        "coco.json#image-3": "missing-file",
    }
    (root / "coco.json").rename(outside / "coco.json")
    (root / "coco.json").symlink_to(outside / "coco.json")
    with pytest.raises(
        ValueError, match=r"expected the file 'coco\.json' that the config names, found none$"
    ):
        of_coco(root)


def test_a_file_that_changed_after_it_was_indexed(tmp_path):
    picture(tmp_path / "a.png")
    coco(tmp_path, [image(1, "a.png")], [annotation(1), annotation(1, bbox=[0, 0, 4, 4])])
    assert annotated.lesion_mask(tmp_path, "coco.json#1", SHAPE).sum() == 16
    coco(tmp_path, [image(1, "a.png")], [annotation(1)])
    os.utime(tmp_path / "coco.json", ns=(1, 1))
    with pytest.raises(Excluded, match="no longer what it was"):
        annotated.lesion_mask(tmp_path, "coco.json#1", SHAPE)
    with pytest.raises(Excluded, match="missing-file"):
        annotated.lesion_mask(tmp_path, "other.json#1", SHAPE)


def test_annotations_are_read_once_by_each_process(tmp_path, monkeypatch):
    picture(tmp_path / "a.png")
    coco(tmp_path, [image(1, "a.png")], [annotation(1)])
    calls = []
    real = annotated.annotation_files.annotations_of
    monkeypatch.setattr(
        annotated.annotation_files, "annotations_of", lambda path: calls.append(path) or real(path)
    )
    for _ in range(5):
        annotated.lesion_mask(tmp_path, "coco.json#0", SHAPE)
    assert len(calls) == 1


# ---- what is refused in one sentence -----------------------------------------------------------------------

WHOLE = {"images": [image(1, "a.png")], "annotations": [annotation(1)], "categories": CATEGORIES}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "expected COCO JSON, got JSONDecodeError"),
        ("", "expected COCO JSON"),
        ("[" * 100_000, "expected COCO JSON, got RecursionError"),
        (b"\xff\xfe\x00", "expected COCO JSON"),
        ([], "expected a COCO data set with 'images', 'annotations' and 'categories'"),
        ({**WHOLE, "categories": None}, "expected a COCO data set"),
        ({**WHOLE, "images": {}}, "expected a COCO data set"),
        ({**WHOLE, "images": ["a.png"]}, "image 0: expected a mapping"),
        ({**WHOLE, "annotations": [[1]]}, "annotation 0: expected a mapping"),
        ({**WHOLE, "images": [{"file_name": "a.png"}]}, "image 0: expected a number or a text as 'id'"),
        ({**WHOLE, "images": [{"id": True}]}, "image 0: expected a number or a text as 'id'"),
        ({**WHOLE, "images": [{"id": 1}]}, "image 0: expected the name of a file as 'file_name'"),
        ({**WHOLE, "images": [image(1, ["a"])]}, "image 0: expected a text or a number as 'file_name'"),
        ({**WHOLE, "images": [image(1, "\ud800.png")]}, "image 0: expected a name in Unicode, got half"),
        (
            {**WHOLE, "images": [image(1, "a.png"), image("1", "b.png")]},
            "image 1: expected an 'id' of its own",
        ),
        (
            {**WHOLE, "images": [image(1, "a.png"), image(2, "a")]},
            "each image to be listed once, got coco.json#image-0",
        ),
        ({**WHOLE, "images": [{"id": 1, "file_name": "a.png"}]}, "expected the patient of every image"),
        (
            {**WHOLE, "images": [image(1, "a.png", patient=" ")]},
            "none for 1 of 1, the first of them coco.json#image-0",
        ),
        (
            {**WHOLE, "images": [image(1, "a.png", patient=float("nan"))]},
            "none for 1 of 1, the first of them coco.json#image-0",
        ),
        (
            {**WHOLE, "images": [image(1, "a.png", patient=float("inf"))]},
            "none for 1 of 1, the first of them coco.json#image-0",
        ),
        ({**WHOLE, "images": [image(1, "a.png", patient=[1])]}, "expected a text or a number as 'patient'"),
        (
            {**WHOLE, "images": [image(1, "a.png", laterality="B")]},
            "image 0: expected L or R as 'laterality', got 'B'",
        ),
        ({**WHOLE, "images": [image(1, "a.png", view="R-CC")]}, "image 0: expected a view such as CC or MLO"),
        (
            {**WHOLE, "images": [image(1, "a.png", spacing_mm=70)]},
            "from 0.01 to 1, as 'spacing_mm', got '70'",
        ),
        ({**WHOLE, "images": [image(1, "a.png", spacing_mm="NaN")]}, "expected the side of a pixel in mm"),
        (
            {**WHOLE, "images": [image(1, "a.png", split="dev")]},
            "expected train, validation or test as 'split'",
        ),
        (
            {**WHOLE, "annotations": [annotation(None)]},
            "annotation 0: expected a number or a text as 'image_id'",
        ),
        (
            {**WHOLE, "annotations": [annotation(1.5)]},
            "annotation 0: expected a number or a text as 'image_id'",
        ),
        (
            {**WHOLE, "annotations": [annotation(1, 2)]},
            "got none of 'mass'; the categories are 'calcification' (1)",
        ),
        ({**WHOLE, "annotations": []}, "got none of 'mass'; the categories are none"),
        ({**WHOLE, "categories": [{"id": 1}]}, "category 0: expected an 'id' of its own and a 'name'"),
        ({**WHOLE, "categories": CATEGORIES * 2}, "category 2: expected an 'id' of its own and a 'name'"),
        ({**WHOLE, "categories": [{"id": 1, "name": "\udfff"}]}, "category 0: expected a name in Unicode"),
        ({**WHOLE, "annotations": [annotation(1, bbox=None)]}, "found none: 1 × lesion-excluded"),
    ],
)
def test_mistakes_in_coco(tmp_path, content, said):
    picture(tmp_path / "a.png")
    if isinstance(content, bytes):
        (tmp_path / "coco.json").write_bytes(content)
    else:
        (tmp_path / "coco.json").write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        of_coco(tmp_path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("table", "images", "said"),
    [
        ("", "image,patient\na,1\n", "boxes.csv: expected a table of boxes, got an empty file"),
        ("name,x,y\n", "image,patient\na,1\n", "boxes.csv: expected the columns of a table of boxes"),
        ("image,x0\na,1\n", "image,patient\na,1\n", "x0, y0, x1, y1 or x, y, width, height, got neither"),
        ("image,x0,y0,x1,y1,x,y,width,height\na\n", "image,patient\na,1\n", "x, y, width, height, got both"),
        ("image,x,y,width,height\n,1,1,1,1\n", "image,patient\na,1\n", "row 2: expected the name of a file"),
        (
            "image,x,y,width,height\na,1,1,1,1\na\n",
            "image,patient\na,1\n",
            "row 3: expected a box, since 'a' has",
        ),
        ("image,x,y,width,height\na,1,1,1,1\n", "image,patient\na,\n", "expected the patient of every image"),
        (
            "image,x,y,width,height\na,1,1,1,1\n",
            "patient\n1\n",
            "images.csv: expected the columns of a table of images",
        ),
        (
            "image,x,y,width,height\na,1,1,1,1\n",
            "image,patient\n,1\n",
            "images.csv: row 2: expected the name of a file",
        ),
        (
            "image,x,y,width,height\na,1,1,1,1\n",
            "image,patient\na,1\na.png,1\n",
            "got images.csv:2 and images.csv:3",
        ),
        ("image,x,y,width,height\na,1,1,1,1\nb,1,1,1,1", "image,patient\na,1\n", "none for 1 of 2"),
        (
            "image,x,y,width,height\na,1,1,1,1\n",
            "image,patient,view\na,1,?\n",
            "images.csv: row 2: expected a view",
        ),
        ("image,x,y,width,height\na,x,1,1,1\n", "image,patient\na,1\n", "found none: 1 × lesion-excluded"),
        ("image,x,y,width,height\na,nan,1,1,1\n", "image,patient\na,1\n", "found none: 1 × lesion-excluded"),
    ],
)
def test_mistakes_in_tables(tmp_path, table, images, said):
    picture(tmp_path / "a.png")
    if "\nb," in table:
        picture(tmp_path / "b.png")
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        of_tables(tmp_path, table, images)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_table_without_categories_has_no_names(tmp_path):
    picture(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"without one, expected 'masses: all'$"):
        of_tables(tmp_path, "image,x,y,width,height\na,1,1,1,1\n", "image,patient\na,1\n", masses=["mass"])


def test_a_patient_in_two_splits_is_refused(tmp_path):
    images = []
    for number, (name, split) in enumerate({"a": "train", "b": "test"}.items()):
        picture(tmp_path / f"{name}.png")
        images.append(image(number, f"{name}.png", split=split) | {"patient": "P"})
    coco(tmp_path, images, [annotation(0)])
    with pytest.raises(ValueError, match=r"got those of patient 'P' in test and train; correct 'split'"):
        of_coco(tmp_path)


def test_a_folder_without_an_image(tmp_path):
    coco(tmp_path, [image(1, "a.png")], [annotation(1)])
    with pytest.raises(ValueError, match=r"expected DICOM, PNG, TIFF or JPEG files, found 1 \.json file$"):
        of_coco(tmp_path)


# ---- properties -----------------------------------------------------------------------------------------


@settings(max_examples=10)
@given(
    st.lists(
        st.tuples(*[st.integers(0, 25)] * 2, *[st.integers(1, 9)] * 2), min_size=1, max_size=5, unique=True
    )
)
def test_boxes_come_back_from_both_forms(tmp_path_factory, given_boxes):
    root = tmp_path_factory.mktemp("boxes")
    picture(root / "a.png")
    coco(root, [image(1, "a.png")], [annotation(1, bbox=list(box)) for box in given_boxes])
    rows = "".join(f"a,{x + 1},{y + 1},{x + width},{y + height}\n" for x, y, width, height in given_boxes)
    first = of_coco(root)
    (root / "coco.json").unlink()
    second = of_tables(root, f"image,x0,y0,x1,y1\n{rows}", "image,patient\na,p1\n", "pixels-from-1")
    expected = [[y, x, min(y + height, 40), min(x + width, 30)] for x, y, width, height in given_boxes]
    assert boxes(first) == boxes(second) == expected
    columns = ["image_id", "lesion_id", "area_px"]
    pd.testing.assert_frame_equal(first.lesions[columns], second.lesions[columns])


def test_masks_are_those_of_their_annotations(tmp_path):
    polygon = [3.3, 4.1, 20.7, 6.2, 15.5, 30.9]
    picture(tmp_path / "a.png")
    coco(tmp_path, [image(1, "a.png")], [annotation(1, segmentation=[polygon])])
    of_coco(tmp_path)
    expected, _ = coco_masks.draw({"segmentation": [polygon]}, SHAPE)
    np.testing.assert_array_equal(annotated.lesion_mask(tmp_path, "coco.json#0", SHAPE), expected)


ODD_VALUES = [
    None,
    True,
    -1,
    0,
    1.5,
    float("nan"),
    10**30,
    "",
    "a.png",
    "\ud800",
    "\0",
    "../a.png",
    ".",
    [],
    [[]],
    {},
]


def places(content, place=()):
    """Places of all values in a JSON document, from the outermost."""
    parts = (
        content.items()
        if isinstance(content, dict)
        else enumerate(content)
        if isinstance(content, list)
        else ()
    )
    for key, part in parts:
        yield (*place, key)
        yield from places(part, (*place, key))


def indexed(root):
    """The index, or why there is none."""
    try:
        return of_coco(root), ""
    except ValueError as error:
        return None, str(error)


@pytest.mark.parametrize("seed", range(5))
def test_odd_values_anywhere_are_refused_in_one_sentence_or_accounted_for(tmp_path, seed):
    generator = random.Random(seed)
    for name in "ab":
        picture(tmp_path / f"{name}.png")
    annotations = [annotation(1), annotation(1, 2), annotation(2, segmentation=[[1, 1, 9, 1, 9, 9]])]
    content = {
        "images": [image(1, "a.png"), image(2, "b.png")],
        "annotations": annotations,
        "categories": CATEGORIES,
    }
    for _ in range(20):
        odd = copy.deepcopy(content)
        *above, last = generator.choice(list(places(content)))
        reduce(getitem, above, odd)[last] = generator.choice(ODD_VALUES)
        (tmp_path / "coco.json").write_text(json.dumps(odd))
        index, refusal = indexed(tmp_path)
        if index is None:
            assert re.fullmatch(r".*expected.*", refusal)  # one line
            continue
        drawn, excluded = set(index.lesions["source"]), set(index.excluded["path"])
        ignored = sum(
            count for name, count in counted(index).items() if name.startswith("annotations ignored")
        )
        listed = {path for path in excluded if path.startswith("coco.json#") and "image" not in path}
        assert not drawn & excluded
        assert len(drawn) + len(listed) + ignored == len(odd["annotations"])
