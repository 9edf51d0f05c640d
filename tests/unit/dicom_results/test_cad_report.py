"""The content tree of mammography CAD reports: PS3.16 TID 4000, and examples 1 and 2 of PS3.17 annex E."""

from dataclasses import replace

import dicom_cases
import pytest
from dicom_cases import ALGORITHM, MADE

from mammoflow.dicom_results.cad_report import cad_report


@pytest.fixture
def case(tmp_path):
    return dicom_cases.case(tmp_path)


def lines(item, depth=0):
    """A report as lines of relationship, name and value, indented."""
    for child in item.get("ContentSequence", []):
        if "ReferencedContentItemIdentifier" in child:
            what = ".".join(map(str, child.ReferencedContentItemIdentifier))
        else:
            codes = child.get("ConceptCodeSequence")
            value = (
                codes[0].CodeMeaning if codes else child.get("TextValue") or child.get("GraphicType") or ""
            )
            what = f"{child.ValueType} {dicom_cases.concept(child)}: {value}"
        yield f"{'  ' * depth}{child.RelationshipType} {what}"
        yield from lines(child, depth + 1)


def test_a_finding_has_the_rows_of_its_templates_in_their_order(case):
    report = dicom_cases.reread(cad_report(case[:1], ALGORITHM, MADE))
    tree = list(lines(report))
    start = tree.index("    CONTAINS CODE Single Image Finding: Mammography breast density")
    parameters = "      HAS PROPERTIES TEXT Algorithm Parameters: "
    assert tree[start - 2 : start + 15] == [
        "  INFERRED FROM CONTAINER Individual Impression/Recommendation: ",
        "    HAS CONCEPT MOD CODE Rendering Intent: "
        "Presentation Required: Rendering device is expected to present",
        "    CONTAINS CODE Single Image Finding: Mammography breast density",
        "      HAS CONCEPT MOD CODE Rendering Intent: "
        "Presentation Required: Rendering device is expected to present",
        "      HAS OBS CONTEXT TEXT Tracking Identifier: Candidate 1",
        "      HAS OBS CONTEXT UIDREF Tracking Unique Identifier: ",
        "      HAS PROPERTIES TEXT Algorithm Name: inbreast/vgg16/imagenet",
        "      HAS PROPERTIES TEXT Algorithm Version: 0.1.0",
        f"{parameters}bundle SHA-256 {ALGORITHM.digest}",
        f"{parameters}mode candidate",
        f"{parameters}operating point: threshold 0.3, 0.5 false positives per image",
        "      HAS PROPERTIES NUM Certainty of Finding: ",
        "      HAS PROPERTIES SCOORD Center: POINT",
        "        SELECTED FROM 1.2.1",
        "      HAS PROPERTIES SCOORD Outline: POLYLINE",
        "        SELECTED FROM 1.2.1",
        "  INFERRED FROM CONTAINER Individual Impression/Recommendation: ",
    ]


def test_a_case_without_findings_is_example_1(case):
    nothing = [replace(findings, boxes=[], scores=[]) for findings in case]
    report = dicom_cases.reread(cad_report(nothing, ALGORITHM, MADE))
    tree = list(lines(report))
    assert [line for line in tree if not line.startswith(" ")] == [
        "HAS CONCEPT MOD CODE Language of Content Item and Descendants: English",
        "CONTAINS CONTAINER Image Library: ",
        "CONTAINS CODE CAD Processing and ImageFindings Summary: All algorithms succeeded; without findings",
        "CONTAINS CODE Summary of Detections: Succeeded",
        "CONTAINS CODE Summary of Analyses: Not Attempted",
    ]
    searched = [line.strip() for line in tree if line.strip().startswith("HAS PROPERTIES 1.")]
    assert searched == [f"HAS PROPERTIES 1.2.{image}" for image in (1, 2, 3, 4)]
    assert dicom_cases.marked(report) == []


def test_the_image_library_describes_the_four_views(case):
    report = dicom_cases.reread(cad_report(case, ALGORITHM, MADE))
    library = [line.strip() for line in lines(dicom_cases.item_at(report, (1, 2)))]
    sides = [line.split(": ")[1] for line in library if "Image Laterality" in line]
    views = [line.split(": ")[1] for line in library if "Image View" in line]
    assert sides == 2 * ["Left breast"] + 2 * ["Right breast"]
    assert views == 2 * ["cranio-caudal", "medio-lateral oblique"]
    for image in dicom_cases.item_at(report, (1, 2)).ContentSequence:
        for name in ("Horizontal Pixel Spacing", "Vertical Pixel Spacing"):
            (item,) = dicom_cases.children(image, name)
            assert item.MeasuredValueSequence[0].NumericValue == 0.6


def test_what_an_image_does_not_say_is_left_out():
    """Without side, view and spacing; invalid dates; a film's view in the place of its orientation."""
    source = dicom_cases.header(
        PixelSpacing=None, StudyDate="2020-1-2", StudyTime="noon", PatientOrientation="CC"
    )
    found = dicom_cases.findings(source, laterality=None, view="from above")
    report = dicom_cases.reread(cad_report([found], ALGORITHM, MADE))
    (image,) = dicom_cases.item_at(report, (1, 2)).ContentSequence
    assert "ContentSequence" not in image


def test_orientation_dates_and_times_come_from_the_image():
    source = dicom_cases.header(PatientOrientation=["A", "R"], ContentDate="20200102", ContentTime="101501")
    report = dicom_cases.reread(cad_report([dicom_cases.findings(source)], ALGORITHM, MADE))
    (image,) = dicom_cases.item_at(report, (1, 2)).ContentSequence
    told = {
        dicom_cases.concept(item): item.get("TextValue") or item.get("Date") or item.get("Time")
        for item in image.ContentSequence
    }
    assert told == {
        "Image Laterality": None,
        "Image View": None,
        "Patient Orientation Row": "A",
        "Patient Orientation Column": "R",
        "Study Date": "20200101",
        "Study Time": "101500",
        "Content Date": "20200102",
        "Content Time": "101501",
        "Horizontal Pixel Spacing": None,
        "Vertical Pixel Spacing": None,
    }


def test_the_evidence_lists_every_image_under_its_series(case):
    report = dicom_cases.reread(cad_report(case, ALGORITHM, MADE))
    (study,) = report.CurrentRequestedProcedureEvidenceSequence
    assert study.StudyInstanceUID == report.StudyInstanceUID == case[0].source.StudyInstanceUID
    listed = [
        (series.SeriesInstanceUID, image.ReferencedSOPInstanceUID)
        for series in study.ReferencedSeriesSequence
        for image in series.ReferencedSOPSequence
    ]
    expected = [(each.source.SeriesInstanceUID, each.source.SOPInstanceUID) for each in case]
    assert listed == expected


def test_cases_that_are_not_one_are_refused_without_naming_anybody(case):
    first, second = case[:2]

    def refusal(*case):
        with pytest.raises(ValueError, match="expected") as caught:
            cad_report(case, ALGORITHM, MADE)
        assert "removed" not in str(caught.value)
        return str(caught.value)

    other = dicom_cases.findings(dicom_cases.header(first.rows, first.columns, PatientID="removed"))
    assert refusal() == "expected a case of at least one image, got none"
    assert refusal(first, first) == "expected every image of a case once, got one twice"
    assert refusal(first, other) == (
        "expected images of one study, got several: their StudyInstanceUID differs"
    )
    same_study = dicom_cases.header(
        first.rows, first.columns, StudyInstanceUID=first.source.StudyInstanceUID, PatientID="other"
    )
    assert refusal(first, dicom_cases.findings(same_study)) == (
        "expected images of one patient, got several: their PatientID differs"
    )
    assert refusal(first, replace(second, threshold=0.2)) == (
        "expected one mode and operating point for all images of a case, got several"
    )
