"""The command `mammoflow detect` on a folder with all that users have in theirs."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import model_files
import pandas as pd
import pydicom
import pytest
from configs import SCRIPTS
from PIL import Image

from mammoflow import archives
from mammoflow.application import running
from mammoflow.base import storage
from mammoflow.base.boxes import BOX
from mammoflow.base.contracts.detected import DETECTED, FILES, LEFT_OUT
from mammoflow.base.contracts.detections import CANDIDATES
from mammoflow.base.contracts.index import LESIONS
from mammoflow.breasts import filling, image_store
from mammoflow.commands import main
from mammoflow.detection import candidate_scores, candidates, components, mapping, mpm
from mammoflow.networks import runtime, trained
from mammoflow.patches.sliding_windows import Windows
from mammoflow.phantoms import cohorts

NAME = "Mustermann"


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """A release of phantoms, and its index."""
    root = tmp_path_factory.mktemp("release")
    entry = {"cohort": "digital", "patients": 2, "detector": [900, 660], "pixel_mm": 0.14, "masses": 1}
    cohorts.write(root, entry, seed=0)
    return root, archives.archive("inbreast").index(root, threads=1).images


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return model_files.random_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def model(weights, tmp_path_factory):
    return model_files.write(tmp_path_factory.mktemp("model") / "a.mammoflow", weights)


# Ways of mapping: normalisation, and the section `maps` of a manifest.
PLAIN = "gcn", model_files.facts()["maps"]
ALL_VIEWS = "local", PLAIN[1] | {"maps": "dense", "mirrored": True, "magnifications": [0.5, 1]}


@pytest.fixture
def given(release, tmp_path):
    """Files named after a patient, who is in their headers too, among others that are no mammograms."""
    root, images = release
    folder = tmp_path / f"{NAME}^Erika" / "visit 1"
    folder.mkdir(parents=True)
    for number, path in enumerate(images["path"].iloc[:3]):
        header = pydicom.dcmread(root / path)
        header.PatientName, header.PatientID = f"{NAME}^Erika", f"{NAME}-77"
        header.save_as(folder / f"{NAME}_{number}.dcm")
    whole = (folder / f"{NAME}_0.dcm").read_bytes()
    (folder / f"{NAME}_cut.dcm").write_bytes(whole[: len(whole) // 2])
    (folder / f"{NAME}_copy.dcm").write_bytes(whole)
    (folder / f"{NAME}.txt").write_text(f"{NAME} came on Monday")
    (folder / "empty.dcm").touch()
    (folder / "a folder.dcm").mkdir()
    return folder.parents[0]


def mammograms(release):
    """Paths of the mammograms of a release."""
    root, images = release
    return [root / path for path in images["path"]]


def command(*arguments):
    return [sys.executable, "-m", "mammoflow.commands.main", "detect", *map(str, arguments)]


def detect(*arguments):
    env = os.environ | {"PYTHONPATH": str(SCRIPTS)}
    return subprocess.run(
        command(*arguments), env=env, capture_output=True, text=True, check=False, timeout=300
    )


def test_each_file_gets_a_result_or_a_reason_and_no_name_gets_out(model, given, tmp_path):
    out = tmp_path / "out"
    ran = detect(model, given, "--out", out, "--threshold", 0)
    assert ran.returncode == 3, ran.stderr
    images, excluded = DETECTED.read(out / "images.csv"), LEFT_OUT.read(out / "excluded.csv")
    assert len(images) == 3
    assert sorted(excluded["reason"]) == ["duplicate", "not-dicom", "truncated", "unreadable"]
    assert "4 files left out" in ran.stdout
    boxes = CANDIDATES.read(out / "detections.csv")
    assert set(boxes["image_id"]) <= set(images["image_id"])
    assert images["boxes"].sum() == len(boxes) > 0
    coco = json.loads((out / "coco-results.json").read_text())
    assert len(coco) == len(boxes)
    page = (out / "index.html").read_text()
    assert not re.search("https?:|<script", page)
    for image_id in images["image_id"]:
        for folder in ("overlays", "heat-maps"):
            assert f"{folder}/{image_id}.png" in page
            with Image.open(out / folder / f"{image_id}.png") as picture:
                assert min(picture.size) > 100
    written = [path for path in out.rglob("*") if path.is_file()]
    assert len(written) > 10
    for path in written:
        assert NAME not in str(path.relative_to(out))
        assert (NAME.encode() in path.read_bytes()) == (path.parent.name == "dicom"), path.name
    assert NAME not in ran.stdout + ran.stderr

    # Nothing is done again, and who wants the names gets them.
    reports = {path: path.read_bytes() for path in out.glob("dicom/*-mammography-cad.dcm")}
    assert len(reports) == 1
    before = {path: path.stat().st_mtime_ns for path in {*out.glob("*/*")} - {*reports}}
    again = detect(model, given, "--out", out, "--threshold", 0, "--paths")
    assert again.returncode == 3, again.stderr
    assert {path: path.stat().st_mtime_ns for path in {*out.glob("*/*")} - {*reports}} == before
    assert {path: path.read_bytes() for path in reports} == reports
    pd.testing.assert_frame_equal(CANDIDATES.read(out / "detections.csv"), boxes)
    files = FILES.read(out / "files.csv")
    assert len(files) == 7
    assert set(excluded["file"]) | set(images["image_id"]) == set(files["file"])

    other = detect(model, given, "--out", out, "--threshold", 0.5)
    assert other.returncode == 1
    assert "got one with another threshold" in other.stderr
    assert "Traceback" not in other.stderr


@pytest.mark.parametrize(
    ("mode", "settings"), [("candidate", PLAIN), ("paper", PLAIN), ("candidate", ALL_VIEWS)]
)
def test_boxes_are_those_of_the_studys_functions(weights, release, tmp_path, monkeypatch, mode, settings):
    """The study stores breasts, maps them all, and finds boxes in all maps."""
    normalization, maps = settings
    network = model_files.facts()["network"] | {"normalization": normalization}
    model = model_files.write(tmp_path / "a.mammoflow", weights, network=network, maps=maps)
    root, images = release
    out, threshold = tmp_path / "out", 0 if mode == "candidate" else 0.3
    # TensorFlow of this process has begun to compute: its threads cannot be set any more.
    monkeypatch.setattr(runtime, "configure", lambda threads, training: None)
    options = ["--out", out, "--threshold", threshold, "--mode", mode, "--paths", "--formats", "csv"]
    assert main.main(list(map(str, ["detect", model, *mammograms(release), *options]))) == 0
    found = CANDIDATES.read(out / "detections.csv")
    names = {
        image_id: next(row.image_id for row in images.itertuples() if path.endswith(row.path))
        for image_id, path in FILES.read(out / "files.csv").itertuples(index=False)
    }
    found["image_id"] = found["image_id"].map(names)

    facts = model_files.facts()
    store, mapped = tmp_path / "shard.h5", tmp_path / "maps.h5"
    lesions = pd.DataFrame(columns=list(LESIONS.columns))
    with storage.create_hdf5(store) as file:
        archive = archives.archive("inbreast")
        filling.fill(file, images, lesions, archive, root, "digital", {"mm": 0.5}, 1)
    stored = image_store.open_store(store)
    unpacked, metadata = tmp_path / "w.weights.h5", tmp_path / "m.json"
    unpacked.write_bytes(weights)
    digest = storage.sha256(unpacked)
    metadata.write_text(json.dumps({"backbone": "compact", "window": 48, "weights_sha256": digest}))
    network, _ = trained.load(unpacked, metadata, "float32")
    views = {key: maps[key] for key in ("maps", "precision", "mirrored", "magnifications")}
    way = mapping.Way(Windows(48, 12, "centred"), normalization, **views)
    with storage.create_hdf5(mapped) as file:
        for image_id, grid in mapping.grids([network], stored, sorted(stored), way):
            mpm.write_grid(file, image_id, grid)
    maps = mpm.open_maps(mapped)
    if mode == "paper":
        expected = components.detections(maps, facts["boxes"]["levels"], 1)
        expected = expected[expected["threshold"] == 0.3].drop(columns="threshold")
    else:
        boxes = {key: facts["boxes"][key] for key in ("smoothing", "fractions", "overlap", "containment")}
        settings = candidates.Settings(**boxes)
        table = candidates.of_maps(maps, stored, 48, settings, 1)
        expected = candidate_scores.scored(table, candidate_scores.peak, settings)
    order = ["image_id", "score", *BOX]
    pd.testing.assert_frame_equal(
        found.sort_values(order, ignore_index=True)[order],
        expected.sort_values(order, ignore_index=True)[order],
        check_dtype=False,
        check_exact=True,
    )
    assert len(expected) > 3


def test_stopped_and_started_again_it_goes_on(model, release, tmp_path):
    out = tmp_path / "out"
    arguments = command(model, *mammograms(release), "--out", out, "--threshold", 0.1, "--threads", 1)
    env = os.environ | {"PYTHONPATH": str(SCRIPTS)}
    process = subprocess.Popen(arguments, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 120
    while not list(out.glob("images/*.json")) and process.poll() is None:
        assert time.monotonic() < until
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command goes on" in stderr
    assert "Traceback" not in stderr
    done = {path: path.stat().st_mtime_ns for path in out.glob("images/*.json")}
    assert 0 < len(done) < len(mammograms(release))
    assert not (out / "detections.csv").exists()
    ran = subprocess.run(arguments, env=env, capture_output=True, text=True, check=False, timeout=300)
    assert ran.returncode == 0, ran.stderr
    assert {path: path.stat().st_mtime_ns for path in done} == done
    assert len(DETECTED.read(out / "images.csv")) == len(mammograms(release))


def test_parts_share_a_folder_and_the_whole_is_then_there(model, release, tmp_path, monkeypatch):
    monkeypatch.setattr(runtime, "configure", lambda threads, training: None)
    paths, out = mammograms(release), tmp_path / "out"
    (tmp_path / "note.txt").write_text("no mammogram")
    options = [*paths, tmp_path / "note.txt", "--out", out, "--threshold", 0.1, "--formats", "csv"]
    arguments = list(map(str, ["detect", model, *options]))
    endings = [main.main([*arguments, "--part", f"{number}/2"]) for number in (1, 2)]
    assert sorted(endings) == [0, 3]
    assert not (out / "detections.csv").exists()
    monkeypatch.setattr(running, "_loaded", lambda *_: pytest.fail("the network was started again"))
    assert main.main(arguments) == 3
    assert len(DETECTED.read(out / "images.csv")) == len(paths)
    assert LEFT_OUT.read(out / "excluded.csv")["reason"].tolist() == ["not-dicom"]


def test_other_options_are_refused_for_other_images_too(model, release, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(runtime, "configure", lambda threads, training: None)
    first, second = mammograms(release)[:2]
    options = ["--out", str(tmp_path / "out"), "--formats", "csv", "--threshold"]
    assert main.main(["detect", str(model), str(first), *options, "0.1"]) == 0
    assert main.main(["detect", str(model), str(second), *options, "0.9"]) == 1
    assert "got one with another threshold" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "expected"),
    [("--threshold", "a number from 0 to 1"), ("--threads", "a whole number"), ("--spacing", "millimetres")],
)
def test_words_in_place_of_numbers(option, expected, capsys):
    with pytest.raises(SystemExit):
        main.main(["detect", "a.mammoflow", "b.dcm", "--out", "out", option, "x"])
    assert f"{option}: expected {expected}" in capsys.readouterr().err


def test_what_is_wrong_is_said_in_one_sentence(model, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.doc").touch()
    (tmp_path / "no.mammoflow").write_text("none")
    out = tmp_path / "out"
    for arguments, sentence in (
        ((tmp_path / "no.mammoflow", tmp_path, "--out", out), "got a file of another kind"),
        ((model, tmp_path / "nowhere", "--out", out), "found nothing"),
        ((model, tmp_path / "empty", "--out", out), "expected mammograms, found no file"),
        ((model, tmp_path, "--out", tmp_path / "other"), "or one of an earlier run, got something else"),
        (
            (model, tmp_path, "--out", out, "--fpi", "3"),
            "expected one of the operating points of the model (0.5)",
        ),
        ((model, tmp_path, "--out", out, "--formats", "pdf"), "expected some of csv, overlay, heat-map"),
        (
            (model, tmp_path, "--out", tmp_path / "no.mammoflow" / "out"),
            "expected a folder that can be written",
        ),
    ):
        assert main.main(["detect", *map(str, arguments)]) == 1
        said = capsys.readouterr().err
        assert said.startswith("mammoflow: ")
        assert len(said.splitlines()) == 1
        assert sentence in said
    assert os.listdir(tmp_path / "other") == ["thesis.doc"]
