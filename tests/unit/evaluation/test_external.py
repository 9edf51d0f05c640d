import numpy as np
import pandas as pd
import pytest
from froc_cases import boxes, line, masses, settings_with
from hypothesis import given, settings
from hypothesis import strategies as st

from mammoflow.base.contracts.detections import EXTERNAL
from mammoflow.evaluation import external, froc_report, matching
from mammoflow.evaluation.definitions import Definition

IMAGES = pd.DataFrame(
    {
        "image_id": ["a", "b", "c", "left-out"],
        "laterality": ["L", "R", "L", "L"],
        "rows": 100,
        "columns": 80,
    }
)
SPLITS = pd.DataFrame(
    {
        "image_id": ["a", "b", "c", "a", "b", "c"],
        "patient_id": ["p", "q", "r", "p", "q", "r"],
        "fold": [0, 0, 0, 1, 1, 1],
        "role": ["test", "train", "test", "train", "test", "train"],
    }
)
LESIONS = masses(("a", (0, 0, 10, 10)), ("b", (20, 20, 40, 40)))
GOOD = ("a", (0, 0, 10, 9), 0.9)


def checked(*cells):
    return external.check(EXTERNAL.check(boxes(*cells)), IMAGES, SPLITS, origin="theirs.csv")


def test_each_fold_gets_the_boxes_of_its_images():
    given_boxes = checked(GOOD, ("b", (20.5, 20.5, 40, 39), 0.3), ("c", (-5, -5, 9.5, 9), 0.7))
    first, second = external.folds(given_boxes, SPLITS, LESIONS, IMAGES)
    assert first.detections["image_id"].tolist() == ["a", "c"]
    assert second.detections["image_id"].tolist() == ["b"]
    found = line(first, Definition("candidate"))
    assert found.thresholds.tolist() == [np.inf, 0.9, 0.7]
    assert found.tpr.tolist() == [0, 1, 1]
    assert found.fpi.tolist() == [0, 0, 0.5]
    assert line(second, Definition("candidate")).tpr.tolist() == [0, 1]


def test_no_box_at_all_is_a_result():
    report = froc_report.evaluate(
        external.folds(checked(), SPLITS, LESIONS, IMAGES), settings_with(), 1, matching.of_scores
    )
    assert (report.operating_points["tpr_mean"].dropna() == 0).all()
    assert report.operating_points["folds"].max() == 2


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (("z", (0, 0, 9, 9), 0.9), r"images of the data set \(4 images\); line 3 has image 'z'"),
        (("left-out", (0, 0, 9, 9), 0.9), "on one that none does; line 3 has image 'left-out'"),
        (("a", (9, 0, 0, 9), 0.9), "y0 < y1 and x0 < x1; line 3 has image 'a', y0 9, x0 0, y1 0, x1 9"),
        (("a", (0, 9, 9, 0), 0.9), "y0 < y1 and x0 < x1; line 3"),
        (("a", (0, 5, 9, 5), 0.9), "y0 < y1 and x0 < x1; line 3"),
        (("a", (0, 0, 9, 9), np.nan), "a finite number as score; line 3 has image 'a', .* score nan"),
        (("a", (0, 0, 9, 9), np.inf), "a finite number as score; line 3"),
        (("a", (0, np.nan, 9, 9), 0.5), "finite coordinates; line 3"),
        (("a", (100, 0, 109, 9), 0.5), "pixels of the original image, got one outside it; line 3"),
        (("a", (0, -9, 9, 0), 0.5), "got one outside it; line 3"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_line(cell, message):
    with pytest.raises(ValueError, match=rf"^theirs\.csv: expected .*{message}") as caught:
        checked(GOOD, cell)
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match=r"line 3 .* \(and 1 more rows\)"):
        checked(GOOD, cell, GOOD, cell)


def test_a_file_is_read_as_a_user_writes_it(tmp_path):
    path = tmp_path / "theirs.csv"
    path.write_text("score,image_id,x0,y0,x1,y1\n0.5,00012,1.5,2,30,40\n,7,1,2,3,4\n")
    table = EXTERNAL.read(path)
    assert table["image_id"].tolist() == ["00012", "7"]
    assert table.loc[0, ["y0", "x0", "y1", "x1"]].tolist() == [2, 1.5, 40, 30]
    assert table["score"].isna().tolist() == [False, True]
    path.write_text("image_id,y0,x0,y1,x1\na,1,2,3,4\n")
    with pytest.raises(ValueError, match=r"missing \['score'\]"):
        EXTERNAL.read(path)
    path.write_text("image_id,y0,x0,y1,x1,score\na,1,2,3,4,high\n")
    with pytest.raises(ValueError, match="column 'score' of a 'external' table should hold float"):
        EXTERNAL.read(path)


@settings(max_examples=20)
@given(st.floats(0.01, 100), st.floats(-50, 50))
def test_only_the_order_of_scores_matters(scale, shift):
    cells = [("a", (0, 0, 10, 9), 0.9), ("a", (50, 50, 60, 60), 0.4), ("c", (0, 0, 9, 9), 0.6)]
    moved = [(name, box, score * scale + shift) for name, box, score in cells]
    for fold, other in zip(
        external.folds(checked(*cells), SPLITS, LESIONS, IMAGES),
        external.folds(checked(*moved), SPLITS, LESIONS, IMAGES),
        strict=True,
    ):
        ours, theirs = (line(each, Definition("candidate")) for each in (fold, other))
        np.testing.assert_array_equal(ours.hits, theirs.hits)
        np.testing.assert_array_equal(ours.false_positives, theirs.false_positives)
