"""ImageFindings refuse what cannot be drawn on their image."""

import numpy as np
import pytest
from pydicom.dataset import Dataset

from mammoflow.dicom_results.subject import Algorithm, ImageFindings


def findings(boxes, scores, **changes):
    image = {"rows": 20, "columns": 10, "mode": "candidate", "fpi": 0.5, "threshold": 0.3}
    return ImageFindings(boxes=np.array(boxes), scores=np.array(scores), **image | changes)


def test_no_candidates_have_the_shapes_of_some():
    found = findings([], [])
    assert found.boxes.shape == (0, 4)
    assert found.boxes.dtype == int
    assert found.scores.shape == (0,)


def test_a_box_may_be_the_whole_image():
    assert findings([[0, 0, 20, 10]], [1]).boxes.tolist() == [[0, 0, 20, 10]]


@pytest.mark.parametrize(
    "box", [[0, 0, 21, 10], [0, 0, 20, 11], [-1, 0, 5, 5], [0, -1, 5, 5], [5, 0, 5, 5], [0, 6, 5, 5]]
)
def test_boxes_outside_the_image_or_empty_are_refused(box):
    with pytest.raises(ValueError, match="y0 < y1 and x0 < x1 within 20 x 10 pixels"):
        findings([[0, 0, 1, 1], box], [0.5, 0.5])


@pytest.mark.parametrize("score", [-0.1, 1.1, np.nan])
def test_scores_that_are_no_fractions_are_refused(score):
    with pytest.raises(ValueError, match="from 0 to 1"):
        findings([[0, 0, 1, 1]], [score])


def test_fractions_of_pixels_and_missing_scores_are_refused():
    with pytest.raises(ValueError, match="whole pixels, got float64"):
        findings([[0, 0, 1.5, 1]], [0.5])
    with pytest.raises(ValueError, match="a score for each of 1 boxes, got 2"):
        findings([[0, 0, 1, 1]], [0.5, 0.5])


def test_a_printed_finding_names_no_patient():
    source = Dataset()
    source.PatientName = "Doe^Jane"
    assert "Doe" not in repr(findings([], [], source=source))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"name": 65 * "x"}, "a name of 1 to 64 characters"),
        ({"version": ""}, "a version of 1 to 64 characters"),
        ({"manufacturer": "a\\b"}, "a manufacturer of 1 to 64 characters, no backslash"),
        ({"digest": 63 * "0"}, "a SHA-256 of 64 hexadecimal digits"),
    ],
)
def test_algorithms_that_dicom_cannot_name_are_refused(changes, expected):
    valid = {"name": 64 * "x", "version": "0.1.0", "digest": 64 * "0"}
    assert Algorithm(**valid).manufacturer == "mammoflow"
    with pytest.raises(ValueError, match=expected):
        Algorithm(**valid | changes)
