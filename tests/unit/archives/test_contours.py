import numpy as np
import pandas as pd
import pytest
from froc_cases import masses

from mammoflow.archives import contours

IMAGES = pd.DataFrame({"image_id": ["a", "b"], "rows": [50, 60], "columns": [40, 30]})


def read_mask(source, shape):
    mask = np.zeros(shape, bool)
    assert shape == (50, 40)
    top = {"x.xml#0": 0, "x.xml#2": 8}[source]
    mask[top : top + 10, 5:15] = True
    return mask


def test_only_merged_lesions_are_taken_apart():
    lesions = masses(
        ("a", (0, 5, 18, 15)), ("a", (30, 0, 33, 3)), ("b", (0, 0, 3, 3)), areas=[1.8, 0.09, np.nan]
    )
    lesions["area_px"] = [180, 9, 9]
    lesions["source"] = ["x.xml#0+2", "x.xml#1", "masks/a+b.png"]
    found = contours.unmerged(lesions, IMAGES, read_mask)
    assert found["source"].tolist() == ["x.xml#0", "x.xml#2", "x.xml#1", "masks/a+b.png"]
    assert found[["y0", "x0", "y1", "x1"]].to_numpy().tolist()[:2] == [[0, 5, 10, 15], [8, 5, 18, 15]]
    assert found["area_px"].tolist() == [100, 100, 9, 9]
    assert found["area_cm2"].tolist()[:2] == pytest.approx([1, 1])
    assert found["lesion_id"].is_unique
    pd.testing.assert_frame_equal(found[2:].reset_index(drop=True), lesions[1:].reset_index(drop=True))


def test_no_lesion_has_no_contour():
    assert contours.unmerged(masses(), IMAGES, read_mask).empty
