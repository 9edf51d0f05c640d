"""What is particular to presentation states, segmentations and measurement reports."""

import io

import dicom_cases
import pytest
from dicom_cases import ALGORITHM, MADE
from highdicom import sr
from pydicom.dataset import Dataset

from mammoflow.dicom_results import documents
from mammoflow.dicom_results.measurement_report import measurement_report
from mammoflow.dicom_results.presentation_state import presentation_state
from mammoflow.dicom_results.region_masks import region_masks


def test_an_image_without_candidates():
    """A report that says so, a state that draws nothing, no segmentation, and a CAD report."""
    found = dicom_cases.findings(dicom_cases.header(), count=0)
    written = {each.kind: each.dataset for each in documents.documents([found], ALGORITHM, MADE)}
    assert set(written) == {"measurement-report", "presentation-state", "mammography-cad"}
    report = sr.ComprehensiveSR.from_dataset(dicom_cases.reread(written["measurement-report"]))
    (group,) = report.content.get_image_measurement_groups()
    (evaluation,) = group.get_qualitative_evaluations()
    assert evaluation.value.meaning == "All algorithms succeeded; without findings"
    state = dicom_cases.reread(written["presentation-state"])
    assert "GraphicAnnotationSequence" not in state
    assert "GraphicLayerSequence" not in state
    with pytest.raises(ValueError, match="at least one candidate for a segmentation, got none"):
        region_masks(found, ALGORITHM, MADE)


def test_only_the_kinds_that_are_asked_for_are_written():
    found = dicom_cases.findings(dicom_cases.header())
    asked = ["mammography-cad", "segmentation"]
    written = documents.documents([found], ALGORITHM, MADE, asked)
    assert [(each.kind, each.image) for each in written] == [("segmentation", 1), ("mammography-cad", 0)]


@pytest.mark.parametrize(("photometric", "shape"), [("MONOCHROME1", "INVERSE"), ("MONOCHROME2", "IDENTITY")])
def test_a_presentation_state_keeps_the_grey_scale_of_the_image(photometric, shape):
    source = dicom_cases.header(
        PhotometricInterpretation=photometric,
        WindowCenter=[2000, 1800],
        WindowWidth=[4000, 3000],
        VOILUTFunction="SIGMOID",
        RescaleIntercept=1,
        RescaleSlope=2,
        RescaleType="US",
    )
    state = dicom_cases.reread(presentation_state(dicom_cases.findings(source), ALGORITHM, MADE))
    assert state.PresentationLUTShape == shape
    (window,) = state.SoftcopyVOILUTSequence
    assert (window.WindowCenter, window.WindowWidth) == ([2000, 1800], [4000, 3000])
    assert window.VOILUTFunction == "SIGMOID"
    assert (state.RescaleIntercept, state.RescaleSlope, state.RescaleType) == (1, 2, "US")


def test_a_presentation_state_keeps_look_up_tables():
    table = Dataset()
    table.add_new("LUTDescriptor", "US", [4, 0, 12])
    table.add_new("LUTData", "US", [0, 1, 2, 4095])
    for keyword in ("VOILUTSequence", "ModalityLUTSequence"):
        source = dicom_cases.header(**{keyword: [table]})
        state = dicom_cases.reread(presentation_state(dicom_cases.findings(source), ALGORITHM, MADE))
        holder = state.SoftcopyVOILUTSequence[0] if keyword == "VOILUTSequence" else state
        assert holder[keyword].value[0].LUTData == [0, 1, 2, 4095]


@pytest.mark.parametrize(
    "faulty",
    [
        {"WindowCenter": 2000},
        {"WindowWidth": 2000},
        {"WindowCenter": 2000, "WindowWidth": 0},
        {"WindowCenter": [2000, 1000], "WindowWidth": 3000},
        {"VOILUTSequence": []},
        {"VOILUTSequence": [Dataset()]},
        {"ModalityLUTSequence": [Dataset()]},
        {"RescaleSlope": 2},
        {"RescaleSlope": 0, "RescaleIntercept": 0},
    ],
)
def test_an_invalid_grey_scale_is_left_out(faulty):
    source = dicom_cases.header(**faulty)
    state = dicom_cases.reread(presentation_state(dicom_cases.findings(source), ALGORITHM, MADE))
    assert "SoftcopyVOILUTSequence" not in state
    assert not set(faulty) & set(state.dir())


def test_a_window_with_a_decimal_comma_is_left_out(tmp_path):
    file = io.BytesIO()
    dicom_cases.header(WindowCenter="2048.5", WindowWidth="4096").save_as(file, enforce_file_format=True)
    source = dicom_cases.source_of(file.getvalue().replace(b"2048.5", b"2048,5"), tmp_path)
    state = dicom_cases.reread(presentation_state(dicom_cases.findings(source), ALGORITHM, MADE))
    assert "SoftcopyVOILUTSequence" not in state


def test_a_presentation_state_shows_the_whole_image_and_one_layer():
    found = dicom_cases.findings(dicom_cases.header())
    state = dicom_cases.reread(presentation_state(found, ALGORITHM, MADE))
    (area,) = state.DisplayedAreaSelectionSequence
    assert area.DisplayedAreaTopLeftHandCorner == [1, 1]
    assert area.DisplayedAreaBottomRightHandCorner == [found.columns, found.rows]
    (layer,) = state.GraphicLayerSequence
    assert {each.GraphicLayer for each in state.GraphicAnnotationSequence} == {layer.GraphicLayer}
    assert state.ContentLabel == "MASS CANDIDATES"
    assert state.ContentDescription == "threshold 0.3, 0.5 false positives per image"
    for annotation in state.GraphicAnnotationSequence:
        assert annotation.GraphicObjectSequence[0].GraphicAnnotationUnits == "PIXEL"


def test_segments_say_what_they_are_and_from_what_they_come():
    found = dicom_cases.findings(dicom_cases.header(), count=2)
    masks = dicom_cases.reread(region_masks(found, ALGORITHM, MADE))
    assert [each.SegmentLabel for each in masks.SegmentSequence] == ["Candidate 1, 91 %", "Candidate 2, 50 %"]
    for segment in masks.SegmentSequence:
        assert segment.SegmentedPropertyTypeCodeSequence[0].CodeMeaning == "Mass"
        (algorithm,) = segment.SegmentationAlgorithmIdentificationSequence
        assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == (ALGORITHM.name, ALGORITHM.version)
        assert ALGORITHM.digest in algorithm.AlgorithmParameters
    assert "FrameOfReferenceUID" not in masks
    for frame in masks.PerFrameFunctionalGroupsSequence:
        (derivation,) = frame.DerivationImageSequence
        (image,) = derivation.SourceImageSequence
        assert image.ReferencedSOPInstanceUID == found.source.SOPInstanceUID


def test_a_measurement_report_names_its_algorithm_side_and_device():
    found = dicom_cases.findings(dicom_cases.header(), count=1, laterality="R")
    report = sr.ComprehensiveSR.from_dataset(dicom_cases.reread(measurement_report(found, ALGORITHM, MADE)))
    (group,) = report.content.get_planar_roi_measurement_groups()
    texts = [item.value for item in group[0].ContentSequence if item.ValueType == "TEXT"]
    assert {
        ALGORITHM.name,
        ALGORITHM.version,
        f"bundle SHA-256 {ALGORITHM.digest}",
        "mode candidate",
    } <= set(texts)
    assert "operating point: threshold 0.3, 0.5 false positives per image" in texts
    (site,) = group.finding_sites
    assert site.value.meaning == "Breast"
    assert site.laterality.meaning == "Right"
    (device,) = report.content.get_observer_contexts()
    assert device.observer_identifying_attributes.name == ALGORITHM.name


def test_a_threshold_of_ones_own_has_no_rate_of_false_positives():
    found = dicom_cases.findings(dicom_cases.header(), fpi=None, threshold=0.123456789)
    for document in documents.documents([found], ALGORITHM, MADE):
        texts = [str(each.value) for each in document.dataset.iterall() if each.VR in ("UT", "LO")]
        points = [text for text in texts if "threshold 0.123457" in text]
        assert not any("false positives" in text for text in points)
        assert points or document.kind == "segmentation"


def test_findings_without_side_have_a_site_without_side():
    found = dicom_cases.findings(dicom_cases.header(), count=1, laterality=None)
    report = sr.ComprehensiveSR.from_dataset(dicom_cases.reread(measurement_report(found, ALGORITHM, MADE)))
    (group,) = report.content.get_planar_roi_measurement_groups()
    assert group.finding_sites[0].laterality is None
