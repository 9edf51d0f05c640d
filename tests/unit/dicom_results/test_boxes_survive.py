"""Every kind of DICOM object gives back the boxes, scores and images that were written to it."""

import dicom_cases
import numpy as np
import pytest
from dicom_cases import ALGORITHM, MADE
from hypothesis import given, settings
from hypothesis import strategies as st

from mammoflow.dicom_results import documents
from mammoflow.dicom_results.cad_report import cad_report
from mammoflow.dicom_results.measurement_report import measurement_report
from mammoflow.dicom_results.presentation_state import presentation_state
from mammoflow.dicom_results.region_masks import region_masks


@st.composite
def found(draw, largest=5000, least=0):
    """ImageFindings on an image of any size; edges of boxes may be those of the image."""
    rows, columns = draw(st.tuples(*[st.integers(1, largest)] * 2))

    def interval(length):
        return st.tuples(st.integers(0, length - 1), st.integers(1, length)).filter(
            lambda ends: ends[0] < ends[1]
        )

    boxes = draw(st.lists(st.tuples(interval(rows), interval(columns)), min_size=least, max_size=5))
    scores = draw(st.lists(st.floats(0, 1), min_size=len(boxes), max_size=len(boxes)))
    return dicom_cases.findings(
        dicom_cases.header(rows, columns),
        boxes=np.array([(y0, x0, y1, x1) for (y0, y1), (x0, x1) in boxes], int),
        scores=np.array(scores),
    )


def boxes_of(findings):
    return [tuple(box) for box in findings.boxes.tolist()]


@settings(max_examples=12)
@given(found())
def test_measurement_reports_keep_boxes_and_scores(findings):
    report = dicom_cases.reread(measurement_report(findings, ALGORITHM, MADE))
    boxes, certainties = dicom_cases.measured(report)
    assert boxes == boxes_of(findings)
    assert certainties == pytest.approx(100 * findings.scores, abs=1e-4)


@settings(max_examples=25)
@given(found())
def test_presentation_states_keep_boxes_and_scores(findings):
    state = dicom_cases.reread(presentation_state(findings, ALGORITHM, MADE))
    boxes, texts = dicom_cases.drawn(state)
    assert boxes == boxes_of(findings)
    assert texts == [f"{100 * score:.0f} %" for score in findings.scores]


@settings(max_examples=25)
@given(found(largest=70, least=1))
def test_segmentations_keep_boxes(findings):
    masks = dicom_cases.reread(region_masks(findings, ALGORITHM, MADE))
    boxes, _ = dicom_cases.segmented(masks)
    assert boxes == boxes_of(findings)
    assert (masks.Rows, masks.Columns) == (findings.rows, findings.columns)


@settings(max_examples=25)
@given(found())
def test_cad_reports_keep_boxes_centres_and_scores(findings):
    report = dicom_cases.reread(cad_report([findings], ALGORITHM, MADE))
    marks = dicom_cases.marked(report)
    assert [box for _, box, _, _ in marks] == boxes_of(findings)
    for (_, (y0, x0, y1, x1), centre, certainty), score in zip(marks, findings.scores, strict=True):
        assert centre == ((x0 + x1) / 2, (y0 + y1) / 2)
        assert certainty == pytest.approx(100 * score, abs=1e-4)


@pytest.mark.parametrize("cohort", ["digital", "film"])
def test_kinds_agree_on_candidates_and_references(cohort, tmp_path):
    """The same candidate has one tracking identifier, and every object refers to the image and its series."""
    source = dicom_cases.source_of(dicom_cases.phantoms(cohort)[0], tmp_path)
    found = dicom_cases.findings(source, 3)
    written = {
        each.kind: dicom_cases.reread(each.dataset) for each in documents.documents([found], ALGORITHM, MADE)
    }
    assert set(written) == set(documents.KINDS)
    trackings = {
        kind: {str(each.value) for each in document.iterall() if each.keyword == "TrackingUID"}
        for kind, document in written.items()
    }
    trackings["mammography-cad"], trackings["measurement-report"] = (
        {
            item.UID
            for item in items(written[kind])
            if dicom_cases.concept(item) == "Tracking Unique Identifier"
        }
        for kind in ("mammography-cad", "measurement-report")
    )
    assert len(set(map(frozenset, trackings.values()))) == 1
    assert len(trackings["mammography-cad"]) == 3
    for document in written.values():
        uids = {str(each.value) for each in document.iterall() if each.VR == "UI"}
        assert {source.SOPClassUID, source.SOPInstanceUID, source.SeriesInstanceUID} <= uids


def items(item):
    for child in item.get("ContentSequence", []):
        yield child
        yield from items(child)


def test_a_case_has_one_report_that_points_to_each_image(tmp_path):
    case = dicom_cases.case(tmp_path)
    marks = dicom_cases.marked(dicom_cases.reread(cad_report(case, ALGORITHM, MADE)))
    expected = [
        (findings.source.SOPInstanceUID, tuple(box)) for findings in case for box in findings.boxes.tolist()
    ]
    assert len(expected) == 6
    assert [mark[:2] for mark in marks] == expected
