"""The comparison of results detects all differences, and only these."""

import json
import shutil

import h5py
import model_files
import pandas as pd
import pytest
from results import differences


@pytest.fixture
def results(tmp_path):
    folder = tmp_path / "results"
    (folder / "benchmarks").mkdir(parents=True)
    (folder / "benchmarks" / "train.tsv").write_text("s\n1.0\n")
    with h5py.File(folder / "maps.h5", "w") as file:
        file["image/probabilities"] = [0.25, float("nan")]
        file["image/name"] = "a"
    table = pd.DataFrame({"loss": [0.5, None], "seconds": [1.0, 2.0]})
    table.to_csv(folder / "history.csv", index=False)
    table.to_parquet(folder / "boxes.parquet")
    (folder / "model.json").write_text(json.dumps({"loss": 0.5, "provenance": {"host": "here"}}))
    return folder


@pytest.fixture
def other(results):
    return shutil.copytree(results, results.with_name("other"))


def test_a_copy_is_the_same(results, other):
    assert differences(results, other) == []


def test_when_and_how_fast_makes_no_difference(results, other):
    (other / "benchmarks" / "train.tsv").write_text("s\n2.0\n")
    pd.read_csv(other / "history.csv").assign(seconds=9.0).to_csv(other / "history.csv", index=False)
    (other / "model.json").write_text(json.dumps({"loss": 0.5, "provenance": {"host": "there"}}))
    assert differences(results, other) == []


def test_every_kind_of_difference_is_seen(results, other):
    with h5py.File(other / "maps.h5", "a") as file:
        file["image/probabilities"][0] = 0.25 + 2**-50
    table = pd.read_csv(other / "history.csv").assign(loss=[0.5, 0.0])
    table.to_csv(other / "history.csv", index=False)
    table.to_parquet(other / "boxes.parquet")
    (other / "model.json").write_text(json.dumps({"loss": 0.25, "provenance": {}}))
    (other / "more.txt").touch()
    assert differences(results, other) == [
        "only in one: more.txt",
        "boxes.parquet: table",
        "history.csv: table",
        "maps.h5: array image/probabilities",
        "model.json: loss: 0.5 and 0.25",
    ]


def test_a_missing_array_is_seen(results, other):
    with h5py.File(other / "maps.h5", "a") as file:
        del file["image/name"]
    assert differences(results, other) == ["maps.h5: arrays ['image/name']"]


def test_model_files_differ_in_what_they_say_and_not_in_when_they_were_made(results, other):
    for folder, changes in ((results, {}), (other, {"versions": {"mammoflow": "1"}})):
        model_files.write(folder / "a.mammoflow", b"weights", **changes)
    assert differences(results, other) == []
    model_files.write(other / "a.mammoflow", b"weights", scoring="learnt")
    assert differences(results, other) == ["a.mammoflow: scoring: peak and learnt"]
