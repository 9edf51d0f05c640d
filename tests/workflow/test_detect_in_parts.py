"""`mammoflow detect` in parts, as jobs of Snakemake."""

import shutil
import subprocess
import sys

import model_files
import pandas as pd
import pytest
from project import REPOSITORY

from mammoflow.base.contracts.detected import DETECTED, LEFT_OUT
from mammoflow.base.contracts.detections import CANDIDATES
from mammoflow.phantoms import cohorts

pytestmark = pytest.mark.workflow


def detect(folder, *arguments):
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "-s",
        str(REPOSITORY / "workflow/detect-in-parts.smk"),
        "--cores",
        "2",
    ]
    return subprocess.run(
        [*command, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=600
    )


def test_many_mammograms_are_searched_in_parts(tmp_path):
    entry = {"cohort": "digital", "patients": 1, "detector": [700, 500], "pixel_mm": 0.18, "masses": 1}
    cohorts.write(tmp_path / "my {images}", entry, seed=0)
    model = model_files.write(tmp_path / "a.mammoflow", model_files.random_weights(tmp_path))
    options = "options=--threshold 0 --formats csv --spacing 0.18"
    given = ["--config", f"model={model}", "images=my {images}", "out=found", options]
    ran = detect(tmp_path, *given, "parts=2")
    assert ran.returncode == 0, ran.stderr
    images = DETECTED.read(tmp_path / "found/images.csv")
    found = (tmp_path / "my {images}").rglob("*")
    files = [path for path in found if path.is_file() and not path.name.startswith(".")]
    assert len(images) + len(LEFT_OUT.read(tmp_path / "found/excluded.csv")) == len(files)
    assert len(images) > 3
    boxes = CANDIDATES.read(tmp_path / "found/detections.csv")
    assert len(boxes) > 0
    assert "Nothing to be done" in detect(tmp_path, *given, "parts=2").stderr

    # One part gives the same.
    shutil.rmtree(tmp_path / "found-parts")
    shutil.rmtree(tmp_path / "found")
    assert detect(tmp_path, *given).returncode == 0
    pd.testing.assert_frame_equal(CANDIDATES.read(tmp_path / "found/detections.csv"), boxes)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["model=a.mammoflow", "out=found"], "expected images=…, got none"),
        (["model=a", "images=b", "out=c", "parts=0"], "parts: expected a number of at least 1, got '0'"),
        (["model=nowhere.mammoflow", "images=.", "out=found"], "nowhere.mammoflow"),
    ],
)
def test_what_is_missing_is_said_before_any_job(tmp_path, given, sentence):
    ran = detect(tmp_path, "--config", *given)
    assert ran.returncode != 0
    assert sentence in ran.stderr + ran.stdout
    assert "Traceback" not in ran.stderr
