"""What the check of a machine concludes; the work itself takes minutes and is run by `make gpu-check`."""

import json

import pytest

from mammoflow.application import machine_check
from mammoflow.commands import main
from mammoflow.patches import bank

NO_GPU = {"gpus": [], "tensorflow": "2", "with_cuda": False}


@pytest.mark.parametrize(
    ("found", "listed", "passed", "said"),
    [
        (NO_GPU, False, None, "no GPU here"),
        (NO_GPU, True, False, "use make env GPU=1"),
        (NO_GPU | {"with_cuda": True}, True, False, "is the driver too old"),
        ({"gpus": [{"name": "H200"}], "tensorflow": "2", "with_cuda": True}, True, True, "sees H200"),
    ],
)
def test_a_gpu_that_should_be_seen_is_missed(found, listed, passed, said):
    check = machine_check.device(found, listed)
    assert check.passed is passed
    assert said in check.sentence


@pytest.mark.parametrize(
    ("device", "distance", "passed"),
    [
        ("/GPU:0", {"float32": 1e-3, "mixed_bfloat16": 0.02}, True),
        ("/GPU:0", {"float32": 0.1, "mixed_bfloat16": 0.02}, False),
        ("/GPU:0", {"float32": 1e-3, "mixed_bfloat16": 0.5}, False),
        ("/GPU:0", {"float32": float("nan"), "mixed_bfloat16": 0.02}, False),
        ("/CPU:0", {"float32": 0.0, "mixed_bfloat16": 0.02}, True),
    ],
)
def test_a_step_far_from_the_processors_fails(device, distance, passed):
    check = machine_check.distances({"device": device, "distance": distance})
    assert check.passed is passed
    assert ("processor: float32" in check.sentence) == ("GPU" in device)  # it is the reference itself


def test_other_weights_after_a_kill_fail():
    assert machine_check.resumed("a", "a").passed
    assert machine_check.resumed("a", "b").passed is False


@pytest.mark.parametrize(
    ("begins", "weights", "gpu", "passed"),
    [
        (5.0, "a", True, True),  # waited for the other
        (1.0, "a", True, False),  # both at once on one GPU
        (1.0, "a", False, True),
        (5.0, "b", True, False),
    ],
)
def test_two_jobs_on_one_gpu_must_wait_for_each_other(begins, weights, gpu, passed):
    both = [{"weights": weights, "from": begins, "to": 9.0}, {"weights": "a", "from": 0.0, "to": 4.0}]
    assert machine_check.apart("a", both, gpu).passed is passed


def test_how_busy_the_gpu_was():
    assert machine_check.busy([0.5, 1.0]).sentence == "the GPU worked 75% of the time"
    assert machine_check.busy([]).passed is None


@pytest.mark.parametrize(
    ("said", "share"),
    [("12\\n87\\n", 0.87), ("[N/A]\\n", None), ("", None), ("No devices were found\\n", None)],
)
def test_a_tool_that_does_not_say_how_busy_a_gpu_is(tmp_path, monkeypatch, said, share):
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\nprintf '{said}'\nexit 3\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert machine_check._share_now() == share


def test_its_bank_has_both_classes(tmp_path):
    machine_check.write_bank(tmp_path / "bank.h5")
    with bank.open_bank(tmp_path / "bank.h5", 0) as opened:
        for part in (opened.train, opened.validation):
            assert 0 < part.labels.sum() < len(part)
        assert len(opened.train) >= 64


@pytest.mark.parametrize(("passed", "status"), [(True, 0), (None, 0), (False, 2)])
def test_the_command_writes_the_numbers_and_fails_if_a_check_does(
    tmp_path, monkeypatch, capsys, passed, status
):
    check = machine_check.Check("step", passed, "a sentence", {"distance": 0.5})
    monkeypatch.setattr(machine_check, "_checks", lambda folder: iter([check]))
    assert main.main(["gpu-check", "--out", str(tmp_path / "check.json")]) == status
    assert "step: a sentence" in capsys.readouterr().out
    (written,) = json.loads((tmp_path / "check.json").read_text())
    assert written == {
        "name": "step",
        "passed": passed,
        "sentence": "a sentence",
        "measured": {"distance": 0.5},
    }
