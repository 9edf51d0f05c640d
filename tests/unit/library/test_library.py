"""The public functions: the examples of docs/library.md, and the package as pip installs it."""

import ast
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from configs import REPOSITORY, SCRIPTS
from froc_cases import counts, line, random_fold
from hypothesis import assume, given
from hypothesis import strategies as st
from releases_by_hand import dicom_file, half_ellipse

import mammoflow
from mammoflow.evaluation.definitions import Definition
from mammoflow.study import sources

PAGE = (REPOSITORY / "docs" / "library.md").read_text()
EXAMPLES = "\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
VERSION = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
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


def test_a_new_public_function_re_runs_no_stage():
    """Every stage has the package's own file among its code, and none has the list of public functions."""
    every = {path for script in SCRIPTS.glob("*.py") for path in sources.modules(SCRIPTS, script)}
    own = SCRIPTS / "mammoflow" / "__init__.py"
    assert own in every
    assert not [path for path in every if {"library", "commands"} & set(path.relative_to(REPOSITORY).parts)]
    constants = {
        node.value for node in ast.walk(ast.parse(own.read_text())) if isinstance(node, ast.Constant)
    }
    assert not constants & set(mammoflow.__all__)


def test_importing_the_package_imports_nothing_else():
    program = (
        "import sys; before = set(sys.modules); import mammoflow; "
        "print(*sorted(name for name in set(sys.modules) - before if name.partition('.')[0] != 'mammoflow'))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", f"import importlib; {program}"],
        cwd=SCRIPTS,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.split() == ["dl"]


def test_a_star_import_has_the_public_functions_alone():
    names = {}
    exec("from mammoflow import *", names)
    assert set(names) - {"__builtins__"} == set(mammoflow.__all__)


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
    assert {path.name for path in packages.iterdir()} - {"__pycache__", "ours.pth"} == {
        "mammoflow",
        f"mammoflow-{VERSION}.dist-info",
    }
    assert files_of(packages / "mammoflow") == files_of(SCRIPTS / "mammoflow")
    command = environment / "bin" / "mammoflow"
    told = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert told.stdout == f"mammoflow {VERSION}\n"
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
        (BOX.assign(score=np.nan), BOX[COLUMNS], ["a"], "expected a value of score in every row, got 1"),
        (BOX.assign(score=np.inf), BOX[COLUMNS], ["a"], "expected a finite number as every score, got 'inf'"),
        (
            BOX.assign(score="high"),
            BOX[COLUMNS],
            ["a"],
            "expected a finite number as every score, got 'high'",
        ),
        (BOX, BOX[COLUMNS].assign(x1=np.nan), ["a"], "lesions: expected a value of x1 in every row"),
        (BOX.assign(y1=0), BOX[COLUMNS], ["a"], "detections: expected boxes with y0 < y1"),
        (BOX.assign(image_id="b"), BOX[COLUMNS], ["a"], "expected images of the fold's test set"),
        (BOX, BOX[COLUMNS][:0], ["a"], "froc: expected a lesion.* got 0 lesions, and 1 such images"),
        (BOX, BOX[COLUMNS], ["a", None], "images: expected a value of image_id in every row, got 1 without"),
    ],
)
def test_mistakes_end_in_a_sentence(detections, lesions, images, said):
    with pytest.raises(ValueError, match=said):
        mammoflow.froc(detections, lesions, images)


@pytest.mark.parametrize(
    ("unit", "columns", "said"),
    [
        ("patient", {}, "images: expected columns image_id, patient_id; patient_id missing"),
        ("breast", {"patient_id": "p"}, "images: expected columns .*; laterality missing"),
        ("breast", {"patient_id": "p", "laterality": None}, "expected a value of laterality in every row"),
    ],
)
def test_units_need_the_columns_that_tell_them(unit, columns, said):
    """Without them every image would count as a patient."""
    images = pd.DataFrame({"image_id": ["a"]}).assign(**columns)
    with pytest.raises(ValueError, match=said):
        mammoflow.froc(BOX, BOX[COLUMNS], images, unit=unit)


def test_units_are_those_of_the_images():
    boxes = pd.concat([BOX, BOX.assign(image_id="b", score=0.4), BOX.assign(image_id="c", score=0.3)])
    images = pd.DataFrame({"image_id": list("abc"), "patient_id": list("ppq"), "laterality": list("LRL")})
    found = {
        unit: mammoflow.froc(boxes, boxes[COLUMNS], images, unit=unit)["targets"].iloc[0]
        for unit in ("lesion", "image", "breast", "patient")
    }
    assert found == {"lesion": 3, "image": 3, "breast": 3, "patient": 2}


def test_numbers_may_be_texts_and_ids_may_be_numbers():
    expected = mammoflow.froc(BOX, BOX[COLUMNS], ["a", "b"])
    texts = BOX.assign(image_id=1, y1="4", score="0.5")
    pd.testing.assert_frame_equal(mammoflow.froc(texts, texts[COLUMNS], [1, 2]), expected)


def test_nothing_detected_is_a_curve_of_one_point():
    curve = mammoflow.froc(pd.DataFrame(columns=[*COLUMNS, "score"]), BOX[COLUMNS], ["a"])
    assert curve["tpr"].tolist() == [0]
    assert mammoflow.tpr_at(curve, 1).tolist() == [0]


@pytest.mark.parametrize("fpi", [-1, [0.5, -1], np.nan])
def test_fpi_that_cannot_be(fpi):
    with pytest.raises(ValueError, match="fpi: expected false positives per image of at least 0"):
        mammoflow.tpr_at(mammoflow.froc(BOX, BOX[COLUMNS], ["a"]), fpi)


def test_a_table_that_is_no_curve():
    with pytest.raises(ValueError, match="curve: expected columns fpi, tpr; fpi, tpr missing"):
        mammoflow.tpr_at(BOX, 0.5)


@pytest.mark.parametrize(("all_images", "expected"), [(False, "lesions, and without"), (True, "lesions")])
def test_an_area_needs_images_of_both_kinds(all_images, expected):
    with pytest.raises(ValueError, match=f"expected images with {expected}; got 0 with, and 1 without"):
        mammoflow.wafroc(BOX, BOX[COLUMNS][:0], ["a"], all_images=all_images)


def test_a_pixel_that_equals_a_threshold_is_not_above_it():
    steps = np.arange(1, 1000)
    highest = [mammoflow.boxes_of_map(np.full((1, 1), step / 1000))["threshold"].max() for step in steps]
    np.testing.assert_array_equal(highest, (steps - 1) / 1000)


@pytest.mark.parametrize("shape", [(2, 3, 4), (5,), (0, 3)])
def test_a_map_has_rows_and_columns(shape):
    with pytest.raises(ValueError, match=r"probabilities: expected rows and columns, got shape \("):
        mammoflow.boxes_of_map(np.zeros(shape))


IMAGES = pd.DataFrame({"image_id": range(8), "patient_id": np.arange(8) // 2})


def test_folds_keep_the_ids_that_were_passed():
    folds = mammoflow.split_patients(IMAGES.assign(masses=1.0), folds=4)
    merged = IMAGES.merge(folds[folds["role"] == "test"], on=["image_id", "patient_id"])
    assert merged["image_id"].tolist() == list(range(8))


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (IMAGES[["image_id"]], "images: expected columns image_id, patient_id; patient_id missing"),
        (IMAGES.assign(image_id=0), "images: expected every image once"),
        (IMAGES.assign(patient_id=None), "expected a value of patient_id in every row, got 8 without"),
        (IMAGES.assign(masses=np.nan), "expected a value of masses in every row"),
        (IMAGES.assign(masses=-1), "expected a whole number of masses, at least 0, got -1"),
        (IMAGES.assign(masses=0.5), "expected a whole number of masses, at least 0, got 0.5"),
    ],
)
def test_patients_that_cannot_be_split(images, said):
    with pytest.raises(ValueError, match=said):
        mammoflow.split_patients(images, folds=3)


def test_a_file_that_does_not_exist_is_no_broken_one(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.dcm: expected a DICOM file, got none"):
        mammoflow.breast_region(tmp_path / "none.dcm")
    with pytest.raises(FileNotFoundError, match="expected a DICOM file, got a folder"):
        mammoflow.breast_region(tmp_path)


def test_a_file_that_is_no_mammogram_is_refused_in_a_sentence(tmp_path):
    (tmp_path / "a.dcm").write_text("not DICOM")
    with pytest.raises(ValueError, match=r"a\.dcm: no DICOM prefix"):
        mammoflow.breast_region(tmp_path / "a.dcm")


def files_of(package):
    """Modules and data, such as templates."""
    return {
        path.relative_to(package)
        for path in package.rglob("*")
        if path.is_file() and path.parent.name != "__pycache__"
    }


def source_copy(folder):
    """What of the project `pip install .` needs, so that nothing is built in the checkout."""
    copy = folder / "source"
    shutil.copytree(
        REPOSITORY / "workflow", copy / "workflow", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
    )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy2(REPOSITORY / name, copy)
    return copy
