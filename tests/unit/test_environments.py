"""Agreement of the conda files, the locks and pyproject.toml."""

import ast
import re
import sys
import tomllib
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
DISTRIBUTIONS = {
    package: {name.lower().replace("_", "-") for name in names}
    for package, names in metadata.packages_distributions().items()
}


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
    return imported_by(sources.modules(SCRIPTS, SCRIPTS / script))


def imported_by(files):
    packages = set()
    for file in files:
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
    lacking = []
    for script, env in RULES:
        pinned = {
            name.lower()
            for name, _ in PIN.findall(re.sub(r"^ +- ", "", (CONDA / env).read_text(), flags=re.MULTILINE))
        }
        pinned |= {"tensorflow-cpu"} if "tensorflow" in pinned else set()
        for package in sorted(imported(script)):
            if not DISTRIBUTIONS[package] & pinned:
                lacking.append(f"{script} in {env}: {package}")
    assert lacking == []


PROJECT = tomllib.loads((ENVS.parent / "pyproject.toml").read_text())["project"]
CORE = PROJECT["dependencies"]
EXTRAS = [each for extra in PROJECT["optional-dependencies"].values() for each in extra]


def undeclared(files, requirements):
    """Packages that files import and requirements do not name."""
    declared = {re.match(r"[\w.-]+", each)[0].lower() for each in requirements}
    # TensorFlow for processors is a distribution of its own, and imports the same.
    declared |= {"tensorflow-cpu"} if "tensorflow" in declared else set()
    return sorted(each for each in imported_by(files) if not DISTRIBUTIONS[each] & declared)


def test_pyproject_declares_every_package_that_ours_imports():
    assert undeclared((SCRIPTS / "mammoflow").rglob("*.py"), [*CORE, *EXTRAS]) == []


def test_the_library_needs_no_extra():
    modules = (SCRIPTS / "mammoflow" / "library").glob("*.py")
    assert undeclared({file for module in modules for file in sources.modules(SCRIPTS, module)}, CORE) == []


def test_the_citation_has_the_version_of_the_package():
    citation = yaml.safe_load((ENVS.parent / "CITATION.cff").read_text())
    assert citation["version"] == PROJECT["version"]
