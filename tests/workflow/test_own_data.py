"""One's own annotated images: from the written files to a FROC table, and what a changed mapping re-runs."""

import pytest
from project import REPOSITORY

from mammoflow.base.contracts.froc import OPERATING_POINTS, POINTS
from mammoflow.base.contracts.index import IMAGES, LESIONS
from mammoflow.base.contracts.splits import SPLITS
from mammoflow.base.contracts.stored import STORED
from mammoflow.phantoms import cohorts

pytestmark = pytest.mark.workflow

CONFIG = REPOSITORY / "config" / "own-data.yaml"
COHORT = {"cohort": "digital", "patients": 8, "detector": [500, 360], "pixel_mm": 0.28, "masses": 0.6}
TINY = {
    "datasets": {"own": {"resolution": {"mm": 0.56}, "shards": 1, "folds": "official"}},
    "patches": {"window": 48, "stride": 12},
    "training": {"batch": 8, "epochs": 1, "steps_per_epoch": 2},
    "detection": {
        "stride": 16,
        "levels": 50,
        "candidates": {"scoring": "peak"},
        "evaluation": {"bootstrap": 20},
    },
    "experiments": {
        "classification": {"initializations": ["random"]},
        "detection": {"initializations": ["random"]},
    },
}
FROC = "results/froc/own/compact/random/operating-points.csv"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The images of a user."""
    root = tmp_path_factory.mktemp("images")
    cohorts.write(root, COHORT, seed=1, threads=2, archive="annotated")
    return root


def with_root(folder, **dataset):
    datasets = {"own": TINY["datasets"]["own"] | {"root": str(folder)} | dataset}
    return TINY | {"datasets": datasets}


def test_from_a_folder_of_images_to_a_froc_table(project, folder):
    settings = with_root(folder)
    project.run(FROC, configfile=CONFIG, settings=settings, timeout=600)
    results = project.folder / "own-data" / "results"

    images = IMAGES.read(results / "index/own/images.csv").set_index("image_id")
    lesions = LESIONS.read(results / "index/own/lesions.csv")
    assert set(images["spacing_mm"]) == {0.28}
    assert (lesions["area_cm2"] > 0).all()
    stored = STORED.read(results / "index/own/stored.csv")
    splits = SPLITS.read(results / "splits/own.csv").set_index("image_id")
    assert set(splits.index) == set(stored.loc[stored["stored"], "image_id"])
    assert (splits["role"] == images.loc[splits.index, "official_split"]).all()

    points = OPERATING_POINTS.read(results.parent / FROC)
    tested = splits.index[splits["role"] == "test"]
    assert points.loc[points["subset"] == "all", "tpr_mean"].between(0, 1).all()
    curve = POINTS.read((results.parent / FROC).with_name("points.csv"))
    whole = curve[(curve["mode"] == "candidate") & (curve["subset"] == "all")]
    assert set(whole["targets"]) == {lesions["image_id"].isin(tested).sum()}
    assert set(whole["images"]) == {len(tested)}

    assert planned(project, settings) == set()
    masses = {"annotations": {"masses": ["mass", "calcification"]}}
    again = planned(project, with_root(folder, **masses))
    assert {"index", "images", "splits", "bank", "train", "mpm", "froc"} <= again
    assert "phantoms" not in again


def planned(project, settings):
    return {rule for rule, _ in project.jobs(FROC, configfile=CONFIG, settings=settings)}
