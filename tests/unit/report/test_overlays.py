import numpy as np
import pandas as pd
import pytest

from mammoflow.report import overlays

SPLITS = pd.DataFrame(
    {
        "image_id": ["a", "b", "a", "b"],
        "patient_id": ["p", "q", "p", "q"],
        "fold": [0, 0, 1, 1],
        "role": ["train", "test", "test", "train"],
    }
)


@pytest.mark.parametrize(("image_id", "fold"), [("a", 1), ("b", 0)])
def test_the_fold_that_tests_an_image(image_id, fold):
    assert overlays.fold_testing(SPLITS, image_id, "splits.csv") == fold


def test_an_unknown_image_is_one_sentence():
    message = "image: expected one of the 2 test images in splits.csv, such as 'a', got 'aa'"
    with pytest.raises(ValueError, match=f"^{message}$"):
        overlays.fold_testing(SPLITS, "aa", "splits.csv")


def test_an_image_that_no_fold_tests():
    with pytest.raises(ValueError, match="expected one of the 0 test images in x, such as 'none', got 'a'"):
        overlays.fold_testing(SPLITS[SPLITS["role"] == "train"], "a", "x")


def test_threshold_is_the_operating_point_or_the_nearest_level():
    points = pd.DataFrame({"fold": 0, "threshold": [0.2, 0.5, 0.9], "tpr": [1, 0.8, 0.5], "fpi": [4, 1, 0.1]})
    assert overlays.threshold(points, 10, fpi=1, threshold=None) == 0.5
    assert overlays.threshold(points, 10, fpi=0.5, threshold=None) == 0.9
    assert overlays.threshold(points, 10, fpi=1, threshold=0.33) == np.arange(10)[3] / 10
    assert overlays.threshold(points, None, fpi=1, threshold=0.003) == 0.003  # of candidates
