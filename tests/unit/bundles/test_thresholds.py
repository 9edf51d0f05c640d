"""Thresholds come from validation images, and say what they do on test images."""

import numpy as np
import pandas as pd
import pytest

from mammoflow.base.boxes import BOX
from mammoflow.bundles import thresholds
from mammoflow.evaluation.definitions import Evaluation

EVALUATION = Evaluation("paper", "iou-above", 0.2, "ignore", "merged", "all", [0.5], [1, 4], 10)
SPLITS = pd.DataFrame(
    [("a", "p", 0, "validation"), ("b", "q", 0, "validation"), ("c", "r", 0, "test")],
    columns=["image_id", "patient_id", "fold", "role"],
)
IMAGES = pd.DataFrame({"image_id": ["a", "b", "c"], "laterality": ["L", "R", "L"]})
LESIONS = pd.DataFrame([("a", 0, 0, 10, 10, 1.0, "")], columns=["image_id", *BOX, "area_cm2", "pathology"])
CANDIDATES = pd.DataFrame(
    [("a", 0, 0, 10, 10, 0.8), ("b", 0, 0, 5, 5, 0.9), ("a", 20, 20, 25, 25, 0.3)],
    columns=["image_id", *BOX, "score"],
)
DETECTIONS = pd.DataFrame(columns=["image_id", "threshold", *BOX, "score"])


def points(tested=((0.9, 0.0, 0.25), (0.85, 0.5, 0.5), (0.2, 1.0, 2.0))):
    nothing = [(np.inf, 0.0, 0.0)] if tested else []  # every curve begins there
    rows = pd.DataFrame([*nothing, *tested], columns=["threshold", "tpr", "fpi"])
    definition = next(each for each in EVALUATION.in_modes("a/b/c") if each.mode == "candidate")
    return rows.assign(**definition.key)


def found(lesions=LESIONS, tested=None):
    fold = thresholds.validation_fold(0, SPLITS, lesions, DETECTIONS, IMAGES, CANDIDATES)
    tested = points() if tested is None else tested
    return thresholds.operating_points(fold, "data/net/init", EVALUATION, tested)


def test_the_highest_threshold_with_the_largest_tpr_at_no_more_than_the_fpi():
    by_fpi = {point["fpi"]: point for point in found()["candidate"]}
    assert by_fpi[0.5] == {
        "fpi": 0.5,
        "threshold": 0.8,
        "tpr_validation": 1.0,
        "fpi_validation": 0.5,
        "tpr_test": 0.5,
        "fpi_test": 0.5,
    }
    # One of two images has a false positive above the mass: with fewer, nothing is found.
    assert 0.25 not in by_fpi


def test_test_images_change_no_threshold():
    other = found(tested=points([(0.1, 0.1, 9.0)]))["candidate"]
    assert [each["threshold"] for each in other] == [each["threshold"] for each in found()["candidate"]]
    assert {each["tpr_test"] for each in other} == {0.0}
    none = found(tested=points([]))["candidate"]
    assert {each["tpr_test"] for each in none} == {None}


def test_without_masses_or_boxes_there_are_no_thresholds():
    assert found(LESIONS.iloc[:0]) == {"paper": [], "candidate": []}
    assert found()["paper"] == []


def test_the_users_choice():
    listed = found()["candidate"]
    assert thresholds.chosen(listed, 0.5, None) == (0.8, 0.5)
    assert thresholds.chosen(listed, None, 0.1) == (0.1, None)
    with pytest.raises(
        ValueError, match=r"one of the operating points of the model \(0.5, 1, 2, 4, 8\), got 3"
    ):
        thresholds.chosen(listed, 3.0, None)
