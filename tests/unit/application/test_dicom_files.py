"""DICOM objects of the command `mammoflow detect`: of DICOM files alone, with the boxes of its tables."""

from pathlib import Path

import dicom_cases
import numpy as np
import pydicom

from mammoflow.application import dicom_files
from mammoflow.detection.findings import Findings, Model

MODEL = Model("digital/compact/" + "natural+" * 9 + "film", "0.1.0", 64 * "0")


def found(path: Path, number: int, count: int, **changes) -> Findings:
    content = {
        "image_id": f"image-{number}",
        "source": path,
        "rows": dicom_cases.ROWS,
        "columns": dicom_cases.COLUMNS,
        "spacing_mm": 0.6,
        "laterality": "L",
        "view": "CC",
        "boxes": dicom_cases.BOXES[:count],
        "scores": dicom_cases.SCORES[:count],
        "mode": "candidate",
        "threshold": 0.3,
        "fpi": None,
        "searched": f"2026-05-04T03:02:0{number}",
        "model": MODEL,
    }
    return Findings(**content | changes)


def case(folder: Path, counts=(2, 0)) -> list[Findings]:
    """Findings on views of a phantom in files."""
    images = []
    for number, (content, count) in enumerate(zip(dicom_cases.phantoms("digital"), counts, strict=False)):
        path = folder / f"{number}.dcm"
        path.write_bytes(content)
        images.append(found(path, number, count))
    return images


def written(out: Path) -> dict[str, pydicom.Dataset]:
    return {path.name: pydicom.dcmread(path) for path in sorted((out / "dicom").glob("*"))}


def test_each_dicom_file_gets_its_objects_and_each_study_a_report(tmp_path):
    images = case(tmp_path)
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    picture = found(tmp_path / "picture.png", 7, 1)
    out = tmp_path / "out"
    assert dicom_files.write([*images, picture], out) == []
    objects = written(out)
    assert list(objects) == [
        "image-0-mammography-cad.dcm",
        "image-0-measurement-report.dcm",
        "image-0-presentation-state.dcm",
        "image-0-segmentation.dcm",
        "image-1-measurement-report.dcm",
        "image-1-presentation-state.dcm",
    ]
    boxes = [tuple(box) for box in dicom_cases.BOXES[:2].tolist()]
    assert dicom_cases.measured(objects["image-0-measurement-report.dcm"])[0] == boxes
    assert dicom_cases.drawn(objects["image-0-presentation-state.dcm"])[0] == boxes
    assert dicom_cases.segmented(objects["image-0-segmentation.dcm"])[0] == boxes
    assert [box for _, box, _, _ in dicom_cases.marked(objects["image-0-mammography-cad.dcm"])] == boxes
    source = pydicom.dcmread(images[0].source)
    for each in objects.values():
        assert each.StudyInstanceUID == source.StudyInstanceUID
        assert each.PatientID == source.PatientID
        assert each.SoftwareVersions == "0.1.0"


def test_the_same_findings_give_the_same_objects_and_new_images_a_new_report(tmp_path):
    images, out = case(tmp_path, (2, 0, 1)), tmp_path / "out"
    dicom_files.write(images[:2], out)
    before = {path: path.read_bytes() for path in (out / "dicom").glob("*")}
    dicom_files.write(images[:2], out)
    assert {path: path.read_bytes() for path in (out / "dicom").glob("*")} == before
    report = out / "dicom/image-0-mammography-cad.dcm"
    dicom_files.write(images, out)
    assert report.read_bytes() != before[report]
    assert len(dicom_cases.marked(pydicom.dcmread(report))) == 3


def test_an_image_that_objects_cannot_refer_to_is_named_and_the_others_go_on(tmp_path):
    images, out = case(tmp_path), tmp_path / "out"
    broken = pydicom.dcmread(images[1].source)
    del broken.StudyInstanceUID
    broken.save_as(images[1].source)
    (sentence,) = dicom_files.write(images, out)
    assert sentence == "image-1: no DICOM objects: expected an image with StudyInstanceUID, got none"
    assert {name.partition("-m")[0] for name in written(out)} >= {"image-0"}
    assert not any(name.startswith("image-1") for name in written(out))
    outside = found(images[0].source, 0, 1, boxes=np.array([[0, 0, 999, 5]]))
    (sentence,) = dicom_files.write([outside], tmp_path / "other")
    assert sentence.startswith("image-0: no DICOM objects: boxes: expected y0 < y1")


def test_an_added_image_leaves_one_report_of_its_study(tmp_path):
    first, second = case(tmp_path)
    out = tmp_path / "out"
    assert dicom_files.write([second], out) == []
    assert dicom_files.write([first, second], out) == []
    assert [name for name in written(out) if "cad" in name] == ["image-0-mammography-cad.dcm"]


def test_odd_names_are_neither_printed_nor_fatal(tmp_path, recwarn, capfd):
    (image, _) = case(tmp_path)
    whole = image.source.read_bytes()
    for name in (b"ISO_IR WHO", b"ISO 2022 IR 87", b"ISO_IR 192\\WHO"):
        header = pydicom.dcmread(image.source)
        header.add_new("SpecificCharacterSet", "CS", name.decode())
        header.PatientName = pydicom.valuerep.PersonName(b"WHO^\xff\x1b$B;3")
        header.save_as(image.source)
        recwarn.clear()
        assert len(dicom_files.write([image], tmp_path / name.hex())) <= 1
        assert not recwarn.list
        assert "WHO" not in "".join(capfd.readouterr())
        image.source.write_bytes(whole)
