"""Agreement of the conda files, the locks and pyproject.toml."""

import ast
import re
import sys
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from rules import rules

from mammoflow.study import sources

ENVS = Path(__file__).resolve().parents[2] / "envs"
CONDA = ENVS.parent / "workflow" / "envs"
SCRIPTS = ENVS.parent / "workflow" / "scripts"
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[a-z,-]+\])?==([^\s;]+)", re.MULTILINE)


def pins(lock):
    return {(name.lower(), version) for name, version in PIN.findall((ENVS / lock).read_text())}


@pytest.mark.parametrize("file", ["imaging.yaml", "tensorflow.yaml"])
def test_conda_files_pin_what_the_locks_pin(file):
    (pip,) = [
        each["pip"]
        for each in yaml.safe_load((CONDA / file).read_text())["dependencies"]
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


def imported(script):
    """Packages that a script imports, directly or through the project's modules."""
    packages = set()
    for file in sources.modules(SCRIPTS, SCRIPTS / script):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                packages |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                packages.add(node.module.split(".")[0])
    packages.discard("mammoflow")
    return packages - set(sys.stdlib_module_names)


RULES = [
    re.search(
        r'conda:\n\s+"\.\./envs/(?P<env>.*?)".*?script:\n\s+"\.\./scripts/(?P<script>.*?)"',
        text,
        re.DOTALL,
    ).group("script", "env")
    for text in rules().values()
    if "conda:" in text
]


def test_every_script_finds_what_it_imports_in_its_environment():
    assert len(RULES) > 20
    installed = metadata.packages_distributions().items()
    distributions = {name: {each.lower().replace("_", "-") for each in of} for name, of in installed}
    lacking = []
    for script, env in RULES:
        pinned = {
            name.lower()
            for name, _ in PIN.findall(re.sub(r"^ +- ", "", (CONDA / env).read_text(), flags=re.MULTILINE))
        }
        pinned |= {"tensorflow-cpu"} if "tensorflow" in pinned else set()
        for package in sorted(imported(script)):
            if not distributions[package] & pinned:
                lacking.append(f"{script} in {env}: {package}")
    assert lacking == []
