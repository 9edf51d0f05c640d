"""DICOM objects belong to the patient and study of the image, and say what made them."""

import io
from dataclasses import replace
from datetime import timedelta

import dicom_cases
import pytest
from dicom_cases import ALGORITHM, MADE
from pydicom import config
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement

from mammoflow.base.exclusions import Excluded
from mammoflow.dicom_results import documents, source_images

PATIENT_AND_STUDY = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
)


def written(found):
    """Objects of all kinds about one image, reread."""
    return {
        each.kind: dicom_cases.reread(each.dataset) for each in documents.documents([found], ALGORITHM, MADE)
    }


def of_source(**changes):
    return written(dicom_cases.findings(dicom_cases.header(**changes)))


@pytest.mark.parametrize("kind", documents.KINDS)
def test_patient_study_and_equipment(kind):
    source = dicom_cases.header(IssuerOfPatientID="Hospital", StudyDescription="Screening")
    document = written(dicom_cases.findings(source))[kind]
    for keyword in (*PATIENT_AND_STUDY, "IssuerOfPatientID", "StudyDescription"):
        assert document[keyword].value == source[keyword].value, keyword
    assert document.Manufacturer == ALGORITHM.manufacturer
    assert document.ManufacturerModelName == ALGORITHM.name
    assert document.SoftwareVersions == ALGORITHM.version
    assert document.DeviceSerialNumber == ALGORITHM.digest
    assert document.InstanceCreationDate + document.InstanceCreationTime == "20260504030201"
    assert document.SeriesInstanceUID != source.SeriesInstanceUID


@pytest.mark.parametrize("kind", ["measurement-report", "segmentation", "mammography-cad"])
def test_reports_and_segmentations_have_the_time_of_their_content(kind):
    document = of_source()[kind]
    assert document.ContentDate + document.ContentTime == "20260504030201"


@pytest.mark.parametrize(
    ("name", "charset"),
    [
        ("Müller^Jörg", "ISO_IR 100"),
        ("Иванова^Анна", "ISO_IR 144"),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", ["", "ISO 2022 IR 87"]),
        ("王^小东", "GB18030"),
    ],
)
def test_names_in_any_character_set_stay_readable(name, charset, tmp_path):
    """Read from a file with the bytes that devices write, and written in UTF-8."""
    image = dicom_cases.header(SpecificCharacterSet=charset, PatientName=name, StudyDescription="Screening")
    path = tmp_path / "image.dcm"
    image.save_as(path, enforce_file_format=True)
    assert name.encode() not in path.read_bytes()
    objects = written(dicom_cases.findings(source_images.read_source(path)))
    assert len(objects) == 4
    for document in objects.values():
        assert document.SpecificCharacterSet == "ISO_IR 192"
        assert document.PatientName == name


def test_names_that_cannot_be_decoded_are_kept_as_far_as_they_can_and_not_printed(tmp_path):
    """Latin-1 in a file that says it is in UTF-8."""
    file = io.BytesIO()
    dicom_cases.header(PatientName="Doe^Jane").save_as(file, enforce_file_format=True)
    path = tmp_path / "image.dcm"
    path.write_bytes(file.getvalue().replace(b"Doe^Jane", b"M\xfcl^Jane"))
    with pytest.warns(UserWarning, match="replacement characters") as caught:
        objects = written(dicom_cases.findings(source_images.read_source(path)))
    assert {str(document.PatientName) for document in objects.values()} == {
        "M\N{REPLACEMENT CHARACTER}l^Jane"
    }
    assert not any("Jane" in str(warning.message) for warning in caught)


@pytest.mark.parametrize("kind", documents.KINDS)
def test_what_a_header_lacks_is_empty(kind):
    lacking = dict.fromkeys(
        ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID")
    )
    document = of_source(**lacking, AccessionNumber=None, PixelSpacing=None)[kind]
    for keyword in (*lacking, "AccessionNumber", "ReferringPhysicianName"):
        assert document[keyword].is_empty, keyword


@pytest.mark.parametrize("kind", documents.KINDS)
def test_invalid_values_of_a_header_are_kept_as_they_are(kind):
    """Identifiers and dates against the rules: a mended one would refer to nothing, or be invented."""
    source = dicom_cases.header()
    for keyword, value in (
        ("SOPInstanceUID", "1.02.3"),
        ("StudyInstanceUID", "1.2.03"),
        ("PatientAge", "60"),
    ):
        source[keyword] = odd(keyword, value)
    document = written(dicom_cases.findings(source))[kind]
    assert document.StudyInstanceUID == "1.2.03"
    assert document.PatientAge == "60"
    uids = [str(each.value) for each in document.iterall() if each.VR == "UI"]
    assert "1.02.3" in uids


def odd(keyword, value):
    """An element with a value that pydicom would refuse."""
    tag = tag_for_keyword(keyword)
    return DataElement(tag, dictionary_VR(tag), value, validation_mode=config.IGNORE)


def test_images_without_identifiers_are_refused_by_element():
    for keyword in source_images.IDENTIFIERS:
        with pytest.raises(ValueError, match=f"expected an image with {keyword}, got none"):
            of_source(**{keyword: None})
    source = dicom_cases.header()
    source["SeriesInstanceUID"] = odd("SeriesInstanceUID", "Doe/Jane")
    with pytest.raises(ValueError, match="SeriesInstanceUID, got one that is no UID") as caught:
        written(dicom_cases.findings(source))
    assert "Doe" not in str(caught.value)
    with pytest.raises(ValueError, match="SOP class of the standard, got a private one"):
        of_source(SOPClassUID="1.2.3.4.5.6")


def test_files_that_are_no_images_are_refused(tmp_path):
    path = tmp_path / "notes.dcm"
    path.write_text("no DICOM")
    with pytest.raises(Excluded, match="not-dicom"):
        source_images.read_source(path)


def test_findings_must_be_on_the_image_that_they_name():
    found = dicom_cases.findings(dicom_cases.header())
    with pytest.raises(ValueError, match="got findings without source"):
        written(replace(found, source=None))
    with pytest.raises(ValueError, match="image of 300 x 192 pixels, got 256 x 192"):
        written(replace(found, source=dicom_cases.header(rows=300)))


def test_identifiers_follow_the_content():
    """The same content at the same time is the same object; anything else is another one and series."""
    found = dicom_cases.findings(dicom_cases.header())
    others = {
        "boxes": (replace(found, boxes=found.boxes - [0, 0, 1, 0]), ALGORITHM, MADE),
        "scores": (replace(found, scores=found.scores / 2), ALGORITHM, MADE),
        "time": (found, ALGORITHM, MADE + timedelta(seconds=1)),
        "bundle": (found, replace(ALGORITHM, digest=64 * "1"), MADE),
    }

    def uids(found, algorithm, made):
        made_of = documents.documents([found], algorithm, made)
        return [(each.dataset.SeriesInstanceUID, each.dataset.SOPInstanceUID) for each in made_of]

    first = uids(found, ALGORITHM, MADE)
    assert uids(found, ALGORITHM, MADE) == first
    assert len({uid for pair in first for uid in pair}) == 8
    for what, content in others.items():
        assert not {uid for pair in first for uid in pair} & {
            uid for pair in uids(*content) for uid in pair
        }, what


def test_cases_are_grouped_by_study():
    studies = ["1.2.1", "1.2.2", "1.2.1"]
    found = [dicom_cases.findings(dicom_cases.header(StudyInstanceUID=study)) for study in studies]
    assert documents.cases(found) == [[found[0], found[2]], [found[1]]]
