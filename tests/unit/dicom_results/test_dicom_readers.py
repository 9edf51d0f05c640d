"""Programs of other people read the DICOM objects: dicom3tools, DCMTK and Orthanc.

They are skipped where these programs are not installed: tests/programs.sh installs them.
"""

import io
import json
import os
import subprocess

import dicom_cases
import pacs
import pydicom
import pytest
from dicom_cases import ALGORITHM, MADE

from mammoflow.dicom_results import documents

# PixelMed's validator needs 20 seconds for a report.
TEMPLATES = os.environ.get("MAMMOFLOW_PIXELMED") == "1"
JARS = "/usr/share/java"

REPORTS = ("measurement-report", "mammography-cad")


def films(folder):
    """A film, which is a secondary capture with the view in the place of the orientation."""
    source = dicom_cases.source_of(dicom_cases.phantoms("film")[0], folder)
    return [dicom_cases.findings(source, 1)]


def bare(_folder):
    """An image whose header says as little as it may."""
    elements = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime")
    source = dicom_cases.header(**dict.fromkeys(elements), StudyID=None, PixelSpacing=None)
    return [dicom_cases.findings(source, 3, laterality=None, view=None)]


def foreign(_folder):
    """A patient whose name is not in ASCII, and an orientation and a window as devices write them."""
    source = dicom_cases.header(
        PatientName="Müller^Jörg=山田^太郎",
        PatientOrientation=["A", "FR"],
        WindowCenter=[2000],
        WindowWidth=[4000],
    )
    return [dicom_cases.findings(source, 2, laterality="R", view="MLO")]


CASES = {
    "digital": dicom_cases.case,
    "without candidates": lambda folder: dicom_cases.case(folder, (0, 0, 0, 0)),
    "film": films,
    "bare": bare,
    "foreign": foreign,
}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Files of all kinds about all cases: {case: {(kind, image): path}}."""
    written = {}
    for name, case in CASES.items():
        folder = tmp_path_factory.mktemp("case")
        written[name] = {}
        for document in documents.documents(case(folder), ALGORITHM, MADE):
            path = folder / f"{document.image}-{document.kind}.dcm"
            documents.save(document.dataset, path)
            written[name][document.kind, document.image] = path
    return written


def run(name, *arguments):
    return subprocess.run([pacs.program(name), *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("case", CASES)
def test_dciodvfy_finds_no_errors(files, case):
    kinds = set()
    for (kind, _), path in files[case].items():
        ran = run("dciodvfy", path)
        lines = (ran.stdout + ran.stderr).splitlines()
        assert [line for line in lines if line.startswith("Error")] == [], kind
        assert lines, kind
        kinds.add(kind)
    assert kinds == set(documents.KINDS) - ({"segmentation"} if case == "without candidates" else set())


def test_dciodvfy_would_find_an_error(files, tmp_path):
    """The test above would see it."""
    for kind in documents.KINDS:
        document = pydicom.dcmread(next(path for (of, _), path in files["film"].items() if of == kind))
        del document.Modality
        document.save_as(tmp_path / "broken.dcm")
        ran = run("dciodvfy", tmp_path / "broken.dcm")
        assert "Error - Missing attribute Type 1 Required Element=<Modality>" in ran.stdout + ran.stderr, kind


@pytest.mark.parametrize("case", CASES)
def test_dsrdump_reads_the_reports_and_finds_their_constraints_kept(files, case):
    reports = [path for (kind, _), path in files[case].items() if kind in REPORTS]
    assert reports
    for path in reports:
        ran = run("dsrdump", "--verbose", path)
        assert ran.returncode == 0, ran.stderr
        # Of UTF-8 and of template constraints, DCMTK says that it does not check them.
        faults = [line for line in ran.stderr.splitlines() if "E:" in line or "invalid" in line.lower()]
        assert faults == []
        assert "Candidate" in ran.stdout or "without findings" in ran.stdout


def test_dsrdump_resolves_the_references_of_a_cad_report(files):
    ran = run("dsrdump", files["digital"]["mammography-cad", 0])
    assert '<has obs context TEXT:(,,"Tracking Identifier")="Candidate 2">' in ran.stdout
    assert ran.stdout.count("<selected from 1.2.1>") == 4
    assert ran.stdout.count("<has properties 1.2.4>") == 1


def validated(path):
    """Lines of PixelMed's validator of reports, which knows the templates of PS3.16."""
    limits = [f"-Djdk.xml.xpath{name}=0" for name in ("ExprGrpLimit", "ExprOpLimit", "TotalOpLimit")]
    validator = "com.pixelmed.validate.DicomSRValidator"
    ran = run("java", *limits, "-cp", f"{JARS}/pixelmed.jar:{JARS}/*", validator, path)
    lines = [line for line in (ran.stdout + ran.stderr).splitlines() if not line.startswith("SLF4J")]
    assert lines[0] == "Found MammographyCADSR IOD"
    return lines


@pytest.mark.skipif(not TEMPLATES, reason="without MAMMOFLOW_PIXELMED=1")
@pytest.mark.parametrize("case", ["digital", "without candidates"])
def test_pixelmed_finds_the_templates_of_cad_reports_kept(files, case):
    assert validated(files[case]["mammography-cad", 0]) == [
        "Found MammographyCADSR IOD",
        "Found Root Template TID_4000 (MammographyCADDocumentRoot)",
        "Root Template Validation Complete",
        "IOD validation complete",
    ]


@pytest.mark.skipif(not TEMPLATES, reason="without MAMMOFLOW_PIXELMED=1")
def test_pixelmed_would_find_a_missing_row(files, tmp_path):
    report = pydicom.dcmread(files["film"]["mammography-cad", 0])
    del report.ContentSequence[2].ContentSequence[0].ContentSequence[1].ContentSequence[0]
    report.save_as(tmp_path / "broken.dcm")
    (fault, *_) = [line for line in validated(tmp_path / "broken.dcm") if line.startswith("Error")]
    assert "4006" in fault
    assert "Rendering Intent" in fault


@pytest.mark.parametrize("cohort", ["digital", "film"])
def test_dcmtk_renders_an_image_through_its_presentation_state(files, cohort, tmp_path):
    image = tmp_path / "image.dcm"
    image.write_bytes(dicom_cases.phantoms(cohort)[0])
    state = files[cohort]["presentation-state", 1]
    ran = run("dcmp2pgm", "--verbose", "--pstate", state, image, tmp_path / "image.pgm")
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "image.pgm").read_bytes()[:2] == b"P5"
    assert "error" not in (ran.stdout + ran.stderr).lower()


@pytest.fixture(scope="module")
def archive(files, tmp_path_factory):
    """An Orthanc to which the four images of a case and all objects about them were sent."""
    folder = tmp_path_factory.mktemp("orthanc")
    sender = pacs.program("storescu")
    images = [folder / f"image-{index}.dcm" for index in range(4)]
    for path, content in zip(images, dicom_cases.phantoms("digital"), strict=True):
        path.write_bytes(content)
    with pacs.archive(folder) as running:
        target = ["--aetitle", "TESTS", "--call", "ORTHANC", "127.0.0.1", str(running.dicom)]
        sent = subprocess.run(
            [sender, "--required", *target, *images, *files["digital"].values()],
            capture_output=True,
            text=True,
            check=False,
        )
        assert sent.returncode == 0, sent.stderr
        yield running


def test_orthanc_finds_images_and_objects_in_one_study(archive, files):
    study = pydicom.dcmread(files["digital"]["mammography-cad", 0]).StudyInstanceUID
    assert len(archive.find("Study", {})) == 1
    assert len(archive.find("Study", {"StudyInstanceUID": study})) == 1
    modalities = {"MG": 4, "SR": 4 + 1, "PR": 4, "SEG": 3}
    for modality, count in modalities.items():
        found = archive.find("Instance", {"StudyInstanceUID": study, "Modality": modality})
        assert len(found) == count, modality
    assert len(archive.find("Series", {"SeriesDescription": "Mass candidates*"})) == 12
    assert len(archive.find("Series", {"SeriesDescription": "Mass candidates L MLO: segmentation"})) == 0
    assert len(archive.find("Series", {"SeriesDescription": "Mass candidates R MLO: segmentation"})) == 1


def test_findscu_finds_the_cad_report_by_its_class(archive):
    ran = run(
        "findscu", "--study", "--call", "ORTHANC", "127.0.0.1", str(archive.dicom),
        "-k", "QueryRetrieveLevel=IMAGE", "-k", f"SOPClassUID={pydicom.uid.MammographyCADSRStorage}",
        "-k", "SOPInstanceUID", "--show-responses",
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert (ran.stdout + ran.stderr).count("(0008,0018) UI [1.2.826") == 1


def test_orthanc_gives_back_what_was_sent_with_references_to_images_that_it_has(archive, files):
    stored = {
        json.loads(archive.get(f"/instances/{each}/simplified-tags"))["SOPInstanceUID"]
        for each in archive.find("Instance", {"Modality": "MG"})
    }
    assert len(stored) == 4
    for (kind, image), path in files["digital"].items():
        sent = pydicom.dcmread(path)
        (found,) = archive.find("Instance", {"SOPInstanceUID": sent.SOPInstanceUID})
        back = pydicom.dcmread(io.BytesIO(archive.get(f"/instances/{found}/file")))
        assert back == sent, kind
        referenced = {
            str(each.value) for each in back.iterall() if each.keyword == "ReferencedSOPInstanceUID"
        }
        assert len(referenced) == (1 if image else 4), kind
        assert referenced <= stored, kind
