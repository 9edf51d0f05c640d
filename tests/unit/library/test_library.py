"""The public functions: the examples of docs/library.md, and the package as pip installs it."""

import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from configs import REPOSITORY
from froc_cases import counts, line, random_fold
from hypothesis import assume, given
from hypothesis import strategies as st
from releases_by_hand import dicom_file, half_ellipse

import mammoflow
from mammoflow.evaluation.definitions import Definition

PAGE = (REPOSITORY / "docs" / "library.md").read_text()
EXAMPLES = "\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
COLUMNS = ["image_id", "y0", "x0", "y1", "x1"]


@pytest.fixture
def folder(tmp_path):
    """Where the examples run: with the mammogram that one of them reads."""
    dicom_file(tmp_path / "mammogram.dcm", half_ellipse())
    return tmp_path


def test_every_public_function_has_an_example():
    assert set(re.findall(r"mammoflow\.(\w+)\(", EXAMPLES)) == set(mammoflow.__all__)
    assert set(mammoflow.__all__) <= set(dir(mammoflow))
    with pytest.raises(AttributeError, match="no attribute 'frok'"):
        mammoflow.frok  # noqa: B018


def test_the_installed_package_runs_the_examples_without_snakemake_or_tensorflow(folder):
    """Built and installed without a network; what it imports is what this environment has."""
    environment = folder / "venv"
    venv.create(environment, with_pip=False)
    python = environment / "bin" / "python"
    (packages,) = environment.glob("lib/python*/site-packages")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    (packages / "ours.pth").write_text(sysconfig.get_path("purelib"))
    install = subprocess.run(
        [
            *(*pip, "--python", python, "install"),
            *("--no-deps", "--no-build-isolation", "--no-index", source_copy(folder)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert install.returncode == 0, install.stderr
    (folder / "example.py").write_text(
        EXAMPLES + "\nimport sys\nprint(mammoflow.__file__)\n"
        "assert not {'snakemake', 'tensorflow', 'keras'} & set(sys.modules)\n"
    )
    ran = subprocess.run([python, "example.py"], cwd=folder, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert Path(ran.stdout.strip()).is_relative_to(packages)
    templates = list((packages / "mammoflow").rglob("*.jinja"))
    assert templates
    command = environment / "bin" / "mammoflow"
    told = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"mammoflow \d+\.\d+\.\d+\n", told.stdout)
    assert "usage: mammoflow" in subprocess.run([command], capture_output=True, text=True, check=True).stdout


@given(st.integers(0, 10_000))
def test_froc_is_that_of_the_workflow(seed):
    fold = random_fold(seed, scored=True)
    definition = Definition(mode="candidate")
    assume(counts(fold, definition).defined)
    expected = line(fold, definition)
    curve = mammoflow.froc(fold.detections, fold.lesions[COLUMNS], fold.images)
    np.testing.assert_array_equal(curve["tpr"], expected.tpr)
    np.testing.assert_array_equal(curve["fpi"], expected.fpi)
    np.testing.assert_array_equal(curve["threshold"], expected.thresholds)


BOX = pd.DataFrame([("a", 0, 0, 4, 4, 0.5)], columns=[*COLUMNS, "score"])


@pytest.mark.parametrize(
    ("detections", "lesions", "images", "said"),
    [
        (
            BOX.drop(columns="score"),
            BOX[COLUMNS],
            ["a"],
            "detections: expected columns image_id.*; score missing",
        ),
        (BOX, BOX[COLUMNS], ["a", "a"], "images: expected every image once"),
        (BOX.assign(score=np.nan), BOX[COLUMNS], ["a"], "expected a finite number as every score"),
        (BOX.assign(y1=0), BOX[COLUMNS], ["a"], "detections: expected boxes with y0 < y1"),
        (BOX.assign(image_id="b"), BOX[COLUMNS], ["a"], "expected images of the fold's test set"),
        (BOX, BOX[COLUMNS][:0], ["a"], "froc: expected a lesion"),
    ],
)
def test_mistakes_end_in_a_sentence(detections, lesions, images, said):
    with pytest.raises(ValueError, match=said):
        mammoflow.froc(detections, lesions, images)


def test_a_file_that_is_no_mammogram_is_refused_in_a_sentence(tmp_path):
    (tmp_path / "a.dcm").write_text("not DICOM")
    with pytest.raises(ValueError, match=r"a\.dcm: no DICOM prefix"):
        mammoflow.breast_region(tmp_path / "a.dcm")


def source_copy(folder):
    """What of the project `pip install .` needs, so that nothing is built in the checkout."""
    copy = folder / "source"
    shutil.copytree(
        REPOSITORY / "workflow", copy / "workflow", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
    )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy2(REPOSITORY / name, copy)
    return copy
