"""Digital phantoms in the form of VinDr-Mammo."""

import ast
import csv
import hashlib
import re

import numpy as np
import pydicom
import pytest

from mammoflow.archives import vindr_mammo
from mammoflow.phantoms import anatomy, cohorts, patients, vindr_release

SEED, PATIENTS = 3, 7
ENTRY = {"cohort": "digital", "patients": PATIENTS, "detector": [200, 150], "pixel_mm": 0.4}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    root = tmp_path_factory.mktemp("vindr")
    return root, cohorts.write(root, ENTRY, SEED, archive="vindr-mammo")


@pytest.fixture(scope="module")
def index(written):
    return vindr_mammo.index(written[0], threads=1)


def rows(root, name):
    with open(root / name, newline="") as file:
        return list(csv.DictReader(file))


def objects(root):
    return {path.stem: pydicom.dcmread(path) for path in (root / "images").glob("*/[0-9a-f]*.dicom")}


def test_the_tables_have_the_releases_columns(written):
    root, record = written
    breasts, findings = (rows(root, name) for name in (vindr_release.BREASTS, vindr_release.FINDINGS))
    assert tuple(breasts[0]) == (*vindr_release.OF_IMAGE, "split")
    assert tuple(findings[0]) == (*vindr_release.OF_IMAGE, *vindr_release.OF_FINDING, "split")
    assert len(breasts) == record["images"] + 1
    assert {row["image_id"] for row in findings} == {row["image_id"] for row in breasts}
    assert {row["split"] for row in breasts} == {"training", "test"}
    for row in breasts:
        assert re.fullmatch("[0-9a-f]{32}", row["study_id"])
        assert re.fullmatch("BI-RADS [1-5]", row["breast_birads"])
        assert re.fullmatch("DENSITY [A-D]", row["breast_density"])
    for row in findings:
        categories = ast.literal_eval(row["finding_categories"])
        assert vindr_mammo.CATEGORIES.issuperset(categories)
        assert ("No Finding" in categories) == (not row["xmin"])
        assert row["breast_birads"] >= row["finding_birads"]
    assert b"\r" not in (root / vindr_release.FINDINGS).read_bytes()
    assert record["archive"] == "vindr-mammo"


def test_even_a_small_cohort_has_what_is_rare(written, index):
    root, _ = written
    findings = rows(root, vindr_release.FINDINGS)
    of_masses = [row for row in findings if "Mass" in row["finding_categories"]]
    assert any(row["finding_categories"] == "['Suspicious Calcification', 'Mass']" for row in of_masses)
    assert any(not row["finding_birads"] for row in of_masses)
    studies = {}
    for row in rows(root, vindr_release.BREASTS):
        studies.setdefault(row["study_id"], []).append(row)
    assert sum(len({row["width"] for row in images}) == 2 for images in studies.values()) == 1
    assert sum(len({row["series_id"] for row in images}) == 2 for images in studies.values()) == 1
    files = objects(root).values()
    assert sum(file.PhotometricInterpretation == "MONOCHROME1" for file in files) == 1
    assert sum(file.file_meta.TransferSyntaxUID == pydicom.uid.JPEG2000Lossless for file in files) == 1
    assert index.images["flags"].str.contains("box-clipped").sum() == 1
    assert index.images["flags"].str.contains("suspicious-breast").any()
    assert "other-findings" in set(index.excluded["reason"])


def test_every_file_is_listed_with_its_digest(written):
    root, _ = written
    sums = dict(reversed(line.split(" ")) for line in (root / vindr_release.SUMS).read_text().splitlines())
    images = {path.relative_to(root).as_posix() for path in (root / "images").glob("*/[0-9a-f]*.dicom")}
    assert set(sums) == images | {"LICENSE.txt"}
    for path, digest in sums.items():
        assert hashlib.sha256((root / path).read_bytes()).hexdigest() == digest
    dump = rows(root, vindr_release.METADATA)
    assert {f"{row['SOP Instance UID']}.dicom" for row in dump} < {path.split("/")[-1] for path in images}


def test_the_loader_finds_the_cohort_and_leaves_the_rest_out(written, index):
    _, record = written
    counted = index.reconciliation.set_index("quantity")["found"]
    assert counted["images"] == record["images"]
    assert counted["masses"] == record["contours"]
    assert counted["images with masses"] == record["mass_images"]
    assert counted["studies"] == PATIENTS
    assert counted["files that are plainly not images"] == 7
    lost = index.excluded.groupby("reason").size().to_dict()
    assert lost.pop("other-findings") == lost.pop("image-excluded")
    assert lost == {"missing-file": 1, "not-in-table": 1}
    assert not index.images["flags"].str.contains("laterality").any()


def test_pixels_and_masses_are_those_of_the_same_phantoms(written, index):
    root, _ = written
    settings = patients.Settings.from_config(ENTRY)
    lesions = index.lesions.groupby("image_id")
    images = index.images.set_index("image_id")
    checked = 0
    for number in range(PATIENTS):
        patient = patients.draw(settings, SEED, number)
        for position, exposure in enumerate(patient.exposures):
            image_id = vindr_release._of_image(SEED, patient, position, (0, 0), "")[2]
            if image_id not in images.index:
                continue
            row = images.loc[image_id]
            pixels = vindr_mammo.read_image(root, row["path"])
            expected = patients.expose(settings, SEED, patient, exposure)
            if "box-clipped" in row["flags"]:
                assert (pixels > 0).sum() < (expected > 0).sum()
                continue
            wider = row["columns"] - expected.shape[1]
            edge = (0, wider) if exposure.breast.side == "L" else (wider, 0)
            np.testing.assert_array_equal(pixels, np.pad(expected, ((0, 0), edge)))
            contours = exposure.breast.views[exposure.view].contours
            found = lesions.get_group(image_id) if contours else index.lesions[:0]
            for source, contour in zip(found["source"], contours, strict=True):
                mask = anatomy.mass_mask(contour, exposure.breast.side, settings.detector)
                mask = np.pad(mask, ((0, 0), edge))
                box = vindr_mammo.lesion_mask(root, source, pixels.shape)
                assert box[mask].all()
                rows, columns = (mask.any(axis=axis).sum() for axis in (1, 0))
                assert box.sum() <= (rows + 2) * (columns + 2)
                checked += 1
    assert checked > 8


def test_another_cohort_in_the_folder_leaves_nothing(tmp_path):
    cohorts.write(tmp_path, ENTRY | {"patients": 1}, SEED, archive="vindr-mammo")
    cohorts.write(tmp_path, ENTRY | {"patients": 1}, SEED)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"AllDICOMs", "AllXML", "INbreast.csv", "phantoms.json", "__MACOSX", ".DS_Store"}


def test_a_patient_does_not_depend_on_the_cohorts_size(written, tmp_path):
    root, _ = written
    cohorts.write(tmp_path, ENTRY | {"patients": 2}, SEED, archive="vindr-mammo")
    for path in tmp_path.rglob("*"):
        if path.suffix == ".dicom":
            assert path.read_bytes() == (root / path.relative_to(tmp_path)).read_bytes()
        elif path.suffix == ".csv":
            assert (root / path.name).read_text().startswith(path.read_text())
