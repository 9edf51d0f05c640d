"""The command `mammoflow evaluate`: anybody's boxes against anybody's truth."""

import json

import pandas as pd
import pytest

from mammoflow.base.boxes import BOX
from mammoflow.base.contracts.froc import OPERATING_POINTS
from mammoflow.commands import main
from mammoflow.library import scoring

COLUMNS = ["image_id", *BOX]
LESIONS = pd.DataFrame([("a", 10, 10, 50, 50), ("b", 30, 30, 60, 60)], columns=COLUMNS)
BOXES = pd.DataFrame(
    [("a", 12, 8, 52, 48, 0.9), ("c", 5, 5, 25, 25, 0.6), ("b", 31, 29, 58, 62, 0.4)],
    columns=[*COLUMNS, "score"],
)
IMAGES = pd.DataFrame({"image_id": list("abcd")})


def as_coco(table):
    return [
        {
            "image_id": "abcd".index(row.image_id) + 7,
            "bbox": [row.x0, row.y0, row.x1 - row.x0, row.y1 - row.y0],
            "category_id": 1,
            **({"score": row.score} if hasattr(row, "score") else {"id": row.Index, "iscrowd": 0}),
        }
        for row in table.itertuples()
    ]


@pytest.fixture
def folder(tmp_path):
    LESIONS.to_csv(tmp_path / "lesions.csv", index=False)
    BOXES.to_csv(tmp_path / "boxes.csv", index=False)
    IMAGES.to_csv(tmp_path / "images.csv", index=False)
    IMAGES.assign(patient_id="").to_csv(tmp_path / "nobody.csv", index=False)
    images = [{"id": number, "file_name": f"{name}.dcm"} for number, name in enumerate("abcd", start=7)]
    truth = {"images": images, "annotations": as_coco(LESIONS), "categories": [{"id": 1, "name": "mass"}]}
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    (tmp_path / "boxes.json").write_text(json.dumps(as_coco(BOXES)))
    return tmp_path


def evaluate(folder, *arguments):
    return main.main(["evaluate", *map(str, arguments), "--out", str(folder / "out"), "--bootstrap", "50"])


@pytest.mark.parametrize("boxes", ["boxes.csv", "boxes.json"])
@pytest.mark.parametrize("truth", ["lesions.csv", "truth.json"])
def test_csv_and_coco_give_the_same(folder, capsys, boxes, truth):
    if (boxes, truth) == ("boxes.json", "lesions.csv"):
        named = [row | {"image_id": "abcd"[row["image_id"] - 7]} for row in as_coco(BOXES)]
        (folder / boxes).write_text(json.dumps(named))
    images = ["--images", folder / "images.csv"] if truth == "lesions.csv" else []
    assert evaluate(folder, folder / boxes, folder / truth, *images, "--fpi", 0.1, 0.25) == 0
    said = capsys.readouterr().out
    assert "3 boxes, 2 lesions, 4 images; hit: IoU > 0.2" in said
    points = OPERATING_POINTS.read(folder / "out/operating-points.csv")
    own = points[(points["mode"] == "candidate") & (points["subset"] == "all")].iloc[:9]
    curve = scoring.froc(BOXES, LESIONS, IMAGES)
    expected = scoring.tpr_at(curve, own["fpi"].tolist())
    assert own["tpr_mean"].tolist() == expected.tolist()
    assert own.set_index("fpi")["tpr_mean"][[0.125, 0.25]].tolist() == [0.5, 1]
    assert (folder / "out/froc.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (folder / "out/froc.svg").read_text()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("boxes.csv", "lesions.csv"), "expected --images, a table of all images"),
        (("boxes.csv", "truth.json", "--images", "images.csv"), "expected no table of images"),
        (("lesions.csv", "truth.json"), "missing ['score']"),
        (("boxes.json", "none.json"), "a file that cannot be read"),
        (("boxes.csv", "truth.json", "--hit", "touch"), "expected hit of iou-above or"),
        (("boxes.csv", "truth.json", "--iou", "2"), "expected iou in [0, 1), got 2"),
        (("boxes.csv", "truth.json", "--seed", "-1"), "--seed of at least 0"),
        (("boxes.csv", "truth.json", "--fpi", "nan"), "expected finite --fpi"),
        (("boxes.csv", "lesions.csv", "--images", "nobody.csv"), "a value of patient_id in every row, got 4"),
        (("truth.json", "truth.json"), "expected COCO results (a list of boxes), got dict"),
    ],
)
def test_refused_in_one_sentence(folder, capsys, arguments, sentence):
    files = [folder / each if each.endswith((".csv", ".json")) else each for each in arguments]
    assert evaluate(folder, *files) == 1
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert sentence in said
    assert not (folder / "out").exists()


def test_boxes_on_an_image_that_was_not_listed(folder, capsys):
    IMAGES.iloc[:2].to_csv(folder / "images.csv", index=False)
    files = folder / "boxes.csv", folder / "lesions.csv", "--images", folder / "images.csv"
    assert evaluate(folder, *files) == 1
    assert "got 'c'" in capsys.readouterr().err


def test_a_file_in_place_of_the_folder(folder, capsys):
    (folder / "out").write_text("a file")
    assert evaluate(folder, folder / "boxes.csv", folder / "truth.json") == 1
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert "out: expected a folder that can be written, got 'File exists'" in said
