"""The image: its contents; and, when asked for, that it is built and runs read-only as any user."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import model_files
import pandas as pd
import pytest
from project import REPOSITORY, TINY, Project

# It takes minutes, gigabytes and a network.
ASKED = os.environ.get("MAMMOFLOW_CONTAINERS") == "1"
# A root file system with Python 3.11, as an archive, where there is no registry.
BASE = os.environ.get("MAMMOFLOW_CONTAINERS_BASE")
# Of the machine on which it is built: never in the image.
PIP_SETTINGS = ("/etc/pip.conf", "/etc/ssl/certs/ca-certificates.crt")

CONTAINERFILE = (REPOSITORY / "Containerfile").read_text()
PAGE = (REPOSITORY / "docs" / "containers.md").read_text()

STUDY = ["--snakefile", "/mammoflow/Snakefile", "--workflow-profile", "/mammoflow/profiles/laptop"]

pytestmark = pytest.mark.workflow


def copied():
    """Files and folders of the project that the image gets."""
    lines = re.findall(r"^COPY (.*) \S+$", CONTAINERFILE, re.MULTILINE)
    return {name.rstrip("/") for line in lines for name in line.split()}


def test_the_environment_is_one_of_the_locks():
    (default,) = re.findall(r"^ARG LOCK=(\w+)$", CONTAINERFILE, re.MULTILINE)
    asked = {default, *re.findall(r"--build-arg LOCK=(\w+)", CONTAINERFILE + PAGE)}
    assert asked == {"cpu", "gpu"}
    assert all((REPOSITORY / "envs" / f"{lock}.lock").is_file() for lock in asked)
    installs = re.findall(r"pip install (.*)", CONTAINERFILE)
    assert installs == ["--no-cache-dir --require-hashes --requirement envs/${LOCK}.lock"]


def test_it_has_what_a_study_needs_and_the_context_nothing_else(tmp_path):
    Project(tmp_path)
    needed = {path.name for path in tmp_path.iterdir()}
    assert needed <= copied()
    kept = set(
        re.findall("^!(.*)", (REPOSITORY / ".dockerignore").read_text(), re.MULTILINE),
    )
    assert copied() - {"envs/${LOCK}.lock"} == kept
    assert [name for name in kept if not (REPOSITORY / name).exists()] == []


def test_nothing_of_the_machine_that_builds_it_is_named():
    """Addresses of indexes and registries, credentials, settings of pip and proxies."""
    (base,) = re.findall(r"^ARG BASE=(.*)$", CONTAINERFILE, re.MULTILINE)
    assert base.startswith("docker.io/library/python:3.11-slim")
    rest = CONTAINERFILE.replace(base, "")
    assert not re.search(r"://|index|trusted|proxy|PIP_|pip\.conf|\.crt|localhost|token", rest, re.IGNORECASE)


def podman(*arguments, timeout=600):
    ran = subprocess.run(
        ["podman", *map(str, arguments)], capture_output=True, text=True, check=False, timeout=timeout
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


@pytest.fixture(scope="module")
def image():
    """The CPU image, as docs/containers.md builds it; it stays, with its layers, for the next build."""
    if not ASKED:
        pytest.skip("without MAMMOFLOW_CONTAINERS=1")
    if shutil.which("podman") is None:
        pytest.fail("MAMMOFLOW_CONTAINERS=1, and there is no podman", pytrace=False)
    options = [f"--volume={path}:{path}:ro" for path in PIP_SETTINGS if Path(path).exists()]
    if BASE:
        podman("import", BASE, "localhost/mammoflow-base")
        options.append("--build-arg=BASE=localhost/mammoflow-base")
    name = "localhost/mammoflow-test"
    podman("build", "--network", "host", *options, "--tag", name, REPOSITORY, timeout=5400)
    return name


@pytest.fixture(scope="module")
def inside(image, tmp_path_factory):
    """Runs a command in the image: read-only, without a network, as a user that it does not know."""
    work = tmp_path_factory.mktemp("work")
    os.chown(work, 4321, 4321)

    def run(*command):
        options = ["--rm", "--read-only", "--network", "none", "--user", "4321:4321", "--passwd=false"]
        return podman("run", *options, "--volume", f"{work}:/work", image, *command, timeout=2400)

    run.work = work
    return run


@pytest.fixture(scope="module")
def started(inside):
    """The first stages of the tiny study."""
    shutil.copy(TINY, inside.work)
    targets = ["results/splits/digital.csv", "results/weights/natural/compact.h5"]
    inside("snakemake", *STUDY, "--configfile", "tiny.yaml", "--cores", "2", *targets)
    assert [target for target in targets if not (inside.work / "tiny" / target).is_file()] == []
    return inside.work / "tiny"


def test_caches_are_not_with_the_results(inside, started):
    assert {path.name for path in inside.work.iterdir()} == {".snakemake", "tiny.yaml", "tiny"}
    assert {path.name for path in started.iterdir()} == {".snakemake", "data", "logs", "results"}


def test_it_knows_its_version(inside):
    (version,) = re.findall('^version = "(.*)"$', (REPOSITORY / "pyproject.toml").read_text(), re.MULTILINE)
    assert inside("mammoflow", "--version").strip() == f"mammoflow {version}"


def test_a_model_searches_images(inside, started):
    weights = model_files.random_weights(inside.work)
    model_files.write(inside.work / "random.mammoflow", weights)
    path = pd.read_csv(started / "results/index/digital/images.csv")["path"][0]
    inside("mammoflow", "detect", "random.mammoflow", f"tiny/data/digital/{path}", "--out", "found")
    assert (inside.work / "found" / "detections.csv").is_file()
    assert (inside.work / "found" / "index.html").is_file()
