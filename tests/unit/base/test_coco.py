"""Boxes as COCO JSON, also as another program reads them."""

import json

import pandas as pd
import pytest
from pycocotools.coco import COCO

from mammoflow.base import coco
from mammoflow.base.boxes import BOX

BOXES = pd.DataFrame([("x", 10, 20, 30, 60, 0.5)], columns=["image_id", *BOX, "score"])
IMAGES = pd.DataFrame({"image_id": ["w", "x"], "rows": [100, 90], "columns": [80, 70]})


@pytest.fixture
def files(tmp_path):
    paths = tmp_path / "results.json", tmp_path / "images.json"
    coco.write(BOXES, IMAGES, *paths)
    return paths


def test_what_was_written_is_read(files):
    results, described = files
    images, lesions, names = coco.truth(coco.read(described), "truth")
    assert images["image_id"].tolist() == ["w", "x"]
    assert lesions.empty
    boxes = coco.results(coco.read(results), "results", names)
    pd.testing.assert_frame_equal(boxes, BOXES, check_dtype=False)


def test_pycocotools_reads_it(files):
    results, described = files
    read = COCO(described).loadRes(str(results))
    (box,) = read.loadAnns(read.getAnnIds())
    assert box["bbox"] == [20, 10, 40, 20]
    assert read.loadImgs(box["image_id"])[0]["file_name"] == "x"


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        (1, "expected an entry with an 'image_id'"),
        ({"image_id": 1}, "expected 'bbox' as"),
        ({"image_id": 1, "bbox": [0, 0, 0, 1], "score": 1}, "width and height above 0, got 0 × 1"),
        ({"image_id": 1, "bbox": [0, 0, 1, 10**400], "score": 1}, "expected 'bbox' as"),
        ({"image_id": 1, "bbox": [0, 0, 1, 1], "score": None}, "expected a finite number as 'score'"),
        ({"image_id": 1, "bbox": [0, 0, 1, 1], "score": float("nan")}, "a finite number as 'score'"),
    ],
)
def test_refused_in_one_sentence(entry, sentence):
    with pytest.raises(ValueError, match=r"theirs\.json: result 0: ") as caught:
        coco.results([entry], "theirs.json")
    assert sentence in str(caught.value)


def test_an_image_that_the_truth_does_not_list():
    box = {"image_id": 2, "bbox": [0, 0, 1, 1], "score": 1}
    with pytest.raises(ValueError, match=r"an image of the data set \(1 images\), got 2"):
        coco.results([box], "theirs.json", {1: "one"})


def test_files_of_one_name_are_called_by_their_id():
    images = [{"id": 1, "file_name": "a/x.png"}, {"id": 2, "file_name": "b/x.png"}]
    found, _, _ = coco.truth({"images": images, "annotations": []}, "truth.json")
    assert found["image_id"].tolist() == ["1", "2"]
    with pytest.raises(ValueError, match="expected images with ids of their own"):
        coco.truth({"images": images[:1] * 2, "annotations": []}, "truth.json")


def test_other_files(tmp_path):
    path = tmp_path / "a.json"
    for content in ("[" * 10**5, "no", "\xff"):
        path.write_text(content, encoding="latin-1")
        with pytest.raises(ValueError, match="expected COCO JSON, got"):
            coco.read(path)
    for content in ([], {"images": []}, {"images": [{}], "annotations": []}):
        with pytest.raises(ValueError, match="expected"):
            coco.truth(json.loads(json.dumps(content)), "truth.json")


def test_hostile_numbers_and_names(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(f"[{'9' * 5000}]")
    with pytest.raises(ValueError, match=r"a\.json: expected COCO JSON, got"):
        coco.read(path)
    image = {"id": 1, "file_name": "\ud800.png", "patient_id": None}
    with pytest.raises(ValueError, match=r"image 0: expected a name in Unicode"):
        coco.truth({"images": [image], "annotations": []}, "truth.json")
    with pytest.raises(ValueError, match=r"result 0: expected a name in Unicode"):
        coco.results([{"image_id": "\ud800", "bbox": [0, 0, 1, 1], "score": 1}], "theirs.json")
    images, _, _ = coco.truth({"images": [image | {"file_name": "a.png"}], "annotations": []}, "truth.json")
    assert list(images) == ["image_id"]
