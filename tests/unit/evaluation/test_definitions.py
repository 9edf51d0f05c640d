from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from froc_cases import masses, rows, settings_with

from mammoflow.evaluation import folds
from mammoflow.evaluation.definitions import MODES, SIZES, STRICT_IOU, SUBSETS, Definition


def test_the_configured_definition_is_first_and_no_other_comes_twice():
    evaluation = settings_with(mode="candidate", hit="centre-in-box", fpi_over="mass")
    definitions = evaluation.protocol()
    assert definitions[0] == evaluation.definition
    assert len(set(definitions)) == len(definitions)
    assert {each.iou for each in definitions if each.hit == "iou-above"} == {0.1, 0.2, 0.3, 0.5}
    assert all(each.difference(evaluation.definition) for each in definitions[1:])


def test_a_definition_says_in_what_it_differs():
    own = Definition()
    assert own.difference(own) == ""
    assert replace(own, iou=0.5).difference(own) == "IoU > 0.5"
    assert replace(own, hit="iou-at-least", iou=0.5).difference(own) == "IoU ≥ 0.5"
    assert replace(own, unit="breast", subset="benign").difference(own) == "per breast, benign lesions only"


def test_rows_of_a_definition():
    definitions = [Definition(), Definition(iou=0.3), Definition(subset="small"), Definition("candidate")]
    table = pd.DataFrame([each.key for each in definitions])
    for place, definition in enumerate(definitions):
        assert definition.rows(table).index.tolist() == [place]
    # A number that went through text and back.
    assert Definition(iou=0.1 + 0.2).rows(table).index.tolist() == [1]


def test_given_boxes_are_candidates_whatever_is_configured():
    evaluation = settings_with()
    assert evaluation.definition_of("digital/external/theirs").mode == "candidate"
    assert evaluation.definition_of("digital/compact/random") == evaluation.definition
    assert evaluation.in_modes("digital/external/theirs") == [Definition("candidate")]


@pytest.mark.parametrize("mode", MODES)
def test_both_kinds_of_boxes_have_every_curve_that_is_drawn(mode):
    evaluation = settings_with(mode=mode)
    assert [each.mode for each in evaluation.in_modes("digital/compact/random")] == ["paper", "candidate"]
    drawn = evaluation.drawn()
    assert len(drawn) == len(set(drawn))
    for kind in MODES:
        shown = [Definition(kind, subset=subset) for subset in ("all", *SIZES)]
        assert {*shown, Definition(kind, iou=STRICT_IOU)} == {each for each in drawn if each.mode == kind}


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"mode": "coco"}, "mode of paper or candidate, got 'coco'"),
        ({"hit": "touch"}, "hit of iou-above or iou-at-least or centre-in-box, got 'touch'"),
        ({"duplicates": "merge"}, "duplicates of ignore or false-positive, got 'merge'"),
        ({"lesions": "all"}, "lesions of merged or unmerged, got 'all'"),
        ({"fpi_over": "some"}, "fpi_over of all or mass or normal, got 'some'"),
        ({"iou": 1.5}, r"iou in \[0, 1\), got 1.5"),
        ({"hit": "iou-at-least", "iou": 0}, "iou above 0 with hit iou-at-least, got 0"),
        ({"size_strata_cm2": [4, 1]}, r"two ascending size_strata_cm2, got \[4, 1\]"),
    ],
)
def test_settings_without_meaning(setting, message):
    with pytest.raises(ValueError, match=message):
        settings_with(**setting)


# -- Folds


def test_subsets_meet_at_their_edges_and_leave_the_unknown_out():
    areas = [0.99, 1, 4, 4.01, np.nan]
    words = ["BENIGN", "BENIGN_WITHOUT_CALLBACK", "MALIGNANT", "BI-RADS 4c", ""]
    table = masses(*[("a", (0, 0, 1, 1))] * 5, areas=areas, pathologies=words)
    chosen = {name: folds.in_subset(table, name, [1, 4]).nonzero()[0].tolist() for name in SUBSETS}
    assert chosen == {
        "all": [0, 1, 2, 3, 4],
        "small": [0],
        "medium": [1, 2],
        "large": [3],
        "malignant": [2, 3],
        "benign": [0, 1],
    }


def test_categories_of_inbreast():
    words = [f"BI-RADS {category}" for category in ("1", "2", "3", "4a", "4b", "4c", "5", "6", "0", "10")]
    table = masses(*[("a", (0, 0, 1, 1))] * len(words), pathologies=words)
    assert folds.in_subset(table, "malignant", [1, 4]).tolist() == [False] * 3 + [True] * 5 + [False] * 2
    assert folds.in_subset(table, "benign", [1, 4]).tolist() == [True] * 3 + [False] * 7


def test_fold_takes_its_test_images_only():
    splits = pd.DataFrame(
        {
            "image_id": ["a", "b", "a", "b"],
            "patient_id": ["p", "q", "p", "q"],
            "fold": [0, 0, 1, 1],
            "role": ["test", "train", "train", "test"],
        }
    )
    images = pd.DataFrame({"image_id": ["b", "a"], "laterality": ["L", "R"]})
    lesions = masses(("a", (0, 0, 9, 9)), ("b", (0, 0, 9, 9)))
    found = folds.fold_of(1, splits, lesions, rows(), images, lesions)
    assert found.images.to_numpy().tolist() == [["b", "q", "L"]]
    assert found.lesions["image_id"].tolist() == found.contours["image_id"].tolist() == ["b"]
    with pytest.raises(ValueError, match="test images of fold 2, got none"):
        folds.fold_of(2, splits, lesions, rows(), images)
    with pytest.raises(ValueError, match="expected images of the index, got 'a'"):
        folds.fold_of(0, splits, lesions, rows(), images[:1])
