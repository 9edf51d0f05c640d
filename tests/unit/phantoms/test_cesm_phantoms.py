"""Digital phantoms in the form of CDD-CESM."""

import csv
import json

import numpy as np
import pytest

from mammoflow.archives import cdd_cesm, inbreast, picture_files
from mammoflow.phantoms import cesm_release, cohorts, instances, patients

SEED, PATIENTS = 3, 9
ENTRY = {"cohort": "digital", "patients": PATIENTS, "detector": [200, 150], "pixel_mm": 0.4, "masses": 0.7}
# Least intersection over union of a mass and its outline, whose corners are whole pixels of 0.4 mm.
LIKENESS = {"polygon": 0.8, "polyline": 0.8, "ellipse": 0.75, "circle": 0.7}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    root = tmp_path_factory.mktemp("cesm")
    return root, cohorts.write(root, ENTRY, SEED, archive="cdd-cesm")


@pytest.fixture(scope="module")
def index(written):
    return cdd_cesm.index(written[0], threads=1)


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """The same cohort in the form of INbreast: its root, record and index."""
    root = tmp_path_factory.mktemp("inbreast")
    record = cohorts.write(root, ENTRY, SEED)
    return root, record, inbreast.index(root, threads=1)


def rows(root, name):
    with open(root / name, newline="") as file:
        return list(csv.DictReader(file))


def pairs(images, others):
    """Rows of every image of the cohort in both forms."""
    settings = patients.Settings.from_config(ENTRY)
    by_id, by_other_id = images.set_index("image_id"), others.set_index("image_id")
    for number in range(PATIENTS):
        patient = patients.draw(settings, SEED, number)
        for position, exposure in enumerate(patient.exposures):
            name = cesm_release._name(patient, exposure, "DM")
            yield by_id.loc[name], by_other_id.loc[str(20_000_000 + 16 * number + position)]


def masks(loader, root, lesions, image):
    sources = lesions.loc[lesions["image_id"] == image.name, "source"]
    return [loader.lesion_mask(root, source, (image["rows"], image["columns"])) for source in sources]


def test_the_tables_have_the_releases_columns(written):
    root, record = written
    findings, outlines = (rows(root, name) for name in (cesm_release.FINDINGS, cesm_release.OUTLINES))
    assert tuple(findings[0]) == cesm_release.OF_IMAGE
    assert tuple(outlines[0]) == cesm_release.OF_OUTLINE
    assert len(findings) == 2 * record["images"] + len(cesm_release.ODDITIES) - 1
    assert {row["Type"] for row in findings} == {"DM", "CESM"}
    assert {row["Findings"] for row in findings} >= {"Normal", "Mass", "Mass enhancement"}
    assert {row["Pathology Classification/ Follow up"] for row in findings} == {
        "Normal",
        "Benign",
        "Malignant",
    }
    assert any(row["Image_name"].endswith(" ") for row in findings)
    shapes = {json.loads(row["region_shape_attributes"])["name"] for row in outlines}
    assert shapes == {"point", *cesm_release.SHAPES}
    for row in outlines:
        assert int(row["region_id"]) < int(row["region_count"])


def test_each_low_energy_image_has_a_subtracted_one_of_the_same_size(written, index):
    root, _ = written
    low_energy, subtracted = (root / folder for folder in cesm_release.FOLDERS.values())
    for image in index.images["image_id"]:
        pictures = [low_energy / f"{image}.jpg", subtracted / f"{image.replace('_DM_', '_CM_')}.jpg"]
        assert len(set(map(picture_files.shape, pictures))) == 1
        assert all(map(instances.is_phantom, pictures))


def test_the_loader_finds_the_cohort_and_leaves_the_rest_out(written, index):
    _, record = written
    found = index.reconciliation.set_index("quantity")["found"]
    assert len(index.images) == record["images"]
    assert found["subtracted images"] == record["images"]
    assert found["masses"] == record["contours"]
    assert found["images with masses"] == record["mass_images"]
    assert found["files that are plainly not images"] == 4
    excluded = index.excluded["reason"].value_counts().to_dict()
    assert excluded == {
        "subtracted-image": record["images"],
        "not-in-table": 1,
        "missing-file": 1,
        "missing-image": 1,
        "other-findings": 1,
        "lesion-ambiguous": 1,
        "lesion-excluded": 1,
        "contour-points": 1,
        # Outlines in two odd images, and in the subtracted ones.
        "image-excluded": 2 + record["contours"],
    }
    assert index.images["image_id"].str.endswith("2").any()  # a follow-up


def test_images_and_masses_are_those_of_the_form_of_inbreast(written, index, other):
    root, record = written
    other_root, other_record, of_inbreast = other
    counts = ("patients", "images", "mass_images", "masses", "contours")
    assert [record[name] for name in counts] == [other_record[name] for name in counts]
    assert len(index.images) == len(of_inbreast.images)
    likeness, drawn = {}, index.lesions.set_index("image_id")["source"]
    for image, same in pairs(index.images, of_inbreast.images):
        assert image[["laterality", "rows", "columns"]].tolist() == (
            same[["laterality", "rows", "columns"]].tolist()
        )
        pixels = inbreast.read_image(other_root, same["path"]) / 16
        assert np.abs(cdd_cesm.read_image(root, image["path"]) - pixels).mean() < 3
        found, true = (
            masks(cdd_cesm, root, index.lesions, image),
            masks(inbreast, other_root, of_inbreast.lesions, same),
        )
        assert bool(found) == bool(true)
        if found:
            # Masses that touch are one lesion in the form of INbreast.
            found, true = np.any(found, axis=0), np.any(true, axis=0)
            (shape,) = {json.loads(source[len("outline:") :])["name"] for source in drawn[[image.name]]}
            likeness.setdefault(shape, []).append((found & true).sum() / (found | true).sum())
    assert likeness.keys() == LIKENESS.keys()
    for shape, values in likeness.items():
        assert min(values) > LIKENESS[shape]


def test_another_cohort_in_the_folder_leaves_nothing(tmp_path):
    cohorts.write(tmp_path, ENTRY | {"patients": 1}, SEED, archive="cdd-cesm")
    cohorts.write(tmp_path, ENTRY | {"patients": 1}, SEED)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"AllDICOMs", "AllXML", "INbreast.csv", "phantoms.json", "__MACOSX", ".DS_Store"}


def test_a_patient_does_not_depend_on_the_cohorts_size(written, tmp_path):
    root, _ = written
    cohorts.write(tmp_path, ENTRY | {"patients": 2}, SEED, archive="cdd-cesm")
    for path in tmp_path.rglob("*"):
        if path.suffix == ".jpg":
            assert path.read_bytes() == (root / path.relative_to(tmp_path)).read_bytes()
        elif path.suffix == ".csv":
            assert (root / path.name).read_text().startswith(path.read_text())
