"""The conda files, the locks and pyproject agree."""

import re
from pathlib import Path

import pytest
import yaml

ENVS = Path(__file__).resolve().parents[2] / "envs"
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[a-z,-]+\])?==([^\s;]+)", re.MULTILINE)


def pins(lock):
    return {(name.lower(), version) for name, version in PIN.findall((ENVS / lock).read_text())}


@pytest.mark.parametrize("file", ["imaging.yaml", "tensorflow.yaml"])
def test_conda_files_pin_what_the_locks_pin(file):
    (pip,) = [
        each["pip"]
        for each in yaml.safe_load((ENVS / file).read_text())["dependencies"]
        if isinstance(each, dict)
    ]
    asked = {(name.lower(), version) for line in pip for name, version in PIN.findall(line)}
    assert len(asked) == len(pip)
    assert asked <= pins("gpu.lock")


@pytest.mark.parametrize("lock", ["cpu.lock", "gpu.lock", "dev.lock"])
def test_locks_are_hashed_and_name_no_index(lock):
    text = (ENVS / lock).read_text()
    blocks = [block for block in re.split(r"\n(?=[a-z0-9])", text.strip()) if block]
    assert all("--hash=sha256:" in block for block in blocks)
    assert not re.search(r"https?://|--(extra-)?index|find-links", text)


def test_cpu_and_gpu_locks_pin_the_same_versions():
    differing = {
        name
        for name, _ in pins("cpu.lock") ^ pins("gpu.lock")
        if not name.startswith(("nvidia", "tensorflow"))
    }
    assert differing == set()


def test_the_tests_use_what_the_stages_use():
    shared = {name for name, _ in pins("cpu.lock")} & {name for name, _ in pins("dev.lock")}
    assert {pin for pin in pins("dev.lock") if pin[0] in shared} <= pins("cpu.lock")
