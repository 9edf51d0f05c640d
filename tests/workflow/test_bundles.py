"""The study packs its models, and with such a file `mammoflow detect` finds what the study found."""

import json
import os
import subprocess
import sys

import pandas as pd
import pytest
from configs import SCRIPTS

from mammoflow.base import storage
from mammoflow.base.boxes import BOX
from mammoflow.base.contracts.detected import DETECTED, FILES
from mammoflow.base.contracts.detections import CANDIDATES, DETECTIONS
from mammoflow.base.contracts.index import IMAGES
from mammoflow.base.contracts.splits import SPLITS
from mammoflow.bundles import manifest, model_file

pytestmark = pytest.mark.workflow

CHAIN = "digital/compact/natural+film"
ORDER = ["image_id", "score", *BOX]


@pytest.fixture
def results(finished):
    return finished.folder / "tiny" / "results"


@pytest.fixture
def model(results):
    return model_file.open_model(results / f"bundles/{CHAIN}.mammoflow")


def sorted_boxes(table):
    return table.sort_values(ORDER, ignore_index=True)[ORDER]


def detect(*arguments):
    command = [sys.executable, "-m", "mammoflow.commands.main", "detect", *map(str, arguments)]
    ran = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": str(SCRIPTS)}, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_a_model_file_has_the_fold_with_the_lowest_validation_loss(results, model):
    assert (results / "bundles/digital/compact/natural.mammoflow").is_file()
    losses = {
        fold: json.loads((results / f"models/{CHAIN}/fold-{fold}/run-0/model.json").read_text())
        for fold in range(3)
    }
    best = min(losses, key=lambda fold: losses[fold]["validation_loss"])
    assert (model.manifest["fold"], model.manifest["runs"]) == (best, [0])
    weights = model.manifest["members"][manifest.weights(0)]["sha256"]
    assert weights == losses[best]["weights_sha256"]
    assert model.read(manifest.SCORE) == (results / f"candidates/{CHAIN}/fold-{best}.json").read_bytes()


def test_thresholds_are_of_validation_images_and_rates_of_this_folds_test_images(results, model):
    facts, splits = model.manifest, SPLITS.read(results / "splits/digital.csv")
    here = splits[splits["fold"] == facts["fold"]]
    assert facts["thresholds_from"]["images"] == (here["role"] == "validation").sum()
    assert facts["evaluation"]["images"] == (here["role"] == "test").sum()
    names = [data["data"] for data in facts["training"]]
    assert names == ["photographs in scikit-image", *["phantoms drawn by mammoflow"] * 2]
    card = model.read(manifest.CARD).decode()
    assert f"{facts['thresholds_from']['images']} validation images" in card


def test_detections_of_the_command_are_those_of_the_study(finished, results, model, tmp_path):
    fold = model.manifest["fold"]
    splits = SPLITS.read(results / "splits/digital.csv")
    images = IMAGES.read(results / "index/digital/images.csv").set_index("image_id")
    tested = splits.loc[(splits["fold"] == fold) & (splits["role"] == "test"), "image_id"]
    root = finished.folder / "tiny" / "data" / "digital"
    paths = {str((root / images.loc[image_id, "path"]).resolve()): image_id for image_id in tested}
    expected = {
        "candidate": CANDIDATES.read(results / f"candidates/{CHAIN}/fold-{fold}.csv"),
        "paper": DETECTIONS.read(results / f"detections/{CHAIN}/fold-{fold}/shard-0.parquet"),
    }
    # The middle one of the thresholds that some image has boxes at.
    levels = sorted(expected["paper"]["threshold"].unique())
    thresholds = {"candidate": 0, "paper": levels[len(levels) // 2]}
    expected["paper"] = expected["paper"][expected["paper"]["threshold"] == thresholds["paper"]]
    for mode, threshold in thresholds.items():
        out = tmp_path / mode
        options = "--mode", mode, "--threshold", threshold, "--formats", "csv", "--paths"
        detect(model.path, *paths, "--out", out, *options)
        names = FILES.read(out / "files.csv").set_index("file")["path"].map(paths)
        found = CANDIDATES.read(out / "detections.csv")
        found["image_id"] = found["image_id"].map(names)
        assert len(found) > 0
        pd.testing.assert_frame_equal(sorted_boxes(found), sorted_boxes(expected[mode]), check_exact=True)
        searched = DETECTED.read(out / "images.csv")
        assert set(searched["image_id"].map(names)) == set(tested)
    assert storage.sha256(model.path) != model.digest  # which is of all bytes before it
