"""The workflow used by another one: as a module, and deployed by snakedeploy."""

import os
import shutil
import subprocess
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import yaml
from configs import REPOSITORY, SCRIPTS
from project import TINY, Project

pytestmark = pytest.mark.workflow

MODULE = """
configfile: "config/config.yaml"

module mammoflow:
    snakefile:
        {snakefile}
    config:
        config

use rule * from mammoflow as mammoflow_*

rule own:
    default_target: True
    input:
        rules.mammoflow_splits.output.splits.format(dataset="film"),
    output:
        "own.txt",
    shell:
        "wc -l < {{input}} > {{output}}"
"""


@pytest.fixture(scope="module")
def served(repository):
    """Address of the workflow's Snakefile, as a server elsewhere has it.

    Not ``git+file:``: Snakemake 9.27 cannot run the scripts of such a module.
    """
    handler = partial(SimpleHTTPRequestHandler, directory=str(repository))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/workflow/Snakefile"
        server.shutdown()


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """The project as a git repository with a tag; snakedeploy takes a path for GitHub's by the word in it."""
    folder = tmp_path_factory.mktemp("github") / "mammoflow"
    folder.mkdir()
    Project(folder)
    shutil.copy2(REPOSITORY / "LICENSE", folder)
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    for arguments in (["init", "-q"], ["add", "-A"], [*who, "commit", "-qm", "all"], ["tag", "v1.0.0"]):
        subprocess.run(["git", *arguments], cwd=folder, check=True)
    return folder


def tiny_config():
    """The tiny study whole, as a deployer would write it."""
    config = yaml.safe_load((REPOSITORY / "config" / "config.yaml").read_text())
    for key, value in yaml.safe_load(TINY.read_text()).items():
        config[key] = config[key] | value if key in ("training", "patches", "experiments") else value
    config["detection"] = yaml.safe_load((REPOSITORY / "config" / "config.yaml").read_text())["detection"]
    config["detection"] |= {"stride": 12, "levels": 100}
    return config | {"workspace": "."}


def snakemake(folder, *arguments, installed=False):
    """Run Snakemake in a folder, with the package installed or not."""
    environment = {key: value for key, value in os.environ.items() if key != "MAMMOFLOW_CALLED_FROM"}
    environment["PYTHONPATH"] = str(SCRIPTS) if installed else ""
    return subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "2", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def write_user(folder, snakefile):
    """Another workflow that uses ours."""
    (folder / "config").mkdir()
    (folder / "config" / "config.yaml").write_text(yaml.safe_dump(tiny_config()))
    (folder / "Snakefile").write_text(MODULE.format(snakefile=snakefile))


def test_a_module_of_a_checkout_makes_a_target(tmp_path):
    write_user(tmp_path, repr(str(REPOSITORY / "workflow" / "Snakefile")))
    plan = snakemake(tmp_path, "--dry-run", "mammoflow_all")
    assert plan.returncode == 0, plan.stdout + plan.stderr
    assert "mammoflow_train" in plan.stdout
    made = snakemake(tmp_path)
    assert made.returncode == 0, made.stderr
    splits = (tmp_path / "results" / "splits" / "film.csv").read_text().splitlines()
    assert int((tmp_path / "own.txt").read_text()) == len(splits) > 8
    assert {path.name for path in tmp_path.iterdir()} >= {"results", "logs", "data"}


def test_a_module_from_elsewhere_needs_the_package(tmp_path, served):
    write_user(tmp_path, repr(served))
    refused = snakemake(tmp_path, "--dry-run")
    assert refused.returncode
    assert "Install it with pip" in refused.stdout + refused.stderr
    assert "Traceback" not in refused.stdout + refused.stderr
    made = snakemake(tmp_path, installed=True)
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "own.txt").is_file()
    assert "Nothing to be done" in snakemake(tmp_path, installed=True).stderr


def test_another_package_of_that_name_is_refused(tmp_path):
    other = tmp_path / "elsewhere"
    shutil.copytree(SCRIPTS / "mammoflow", other / "mammoflow")
    (tmp_path / "checkout").mkdir()
    project = Project(tmp_path / "checkout")
    ran = subprocess.run(
        [sys.executable, "-m", "snakemake", "--dry-run"],
        cwd=project.folder,
        env={**os.environ, "PYTHONPATH": str(other)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode
    assert f"Python finds another one in {other}" in ran.stdout + ran.stderr


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="snakedeploy 0.17 is for Python below 3.13")
def test_snakedeploy_deploys_it(tmp_path, repository, served):
    deploy = Path(sys.executable).with_name("snakedeploy")
    ran = subprocess.run(
        [deploy, "deploy-workflow", repository, tmp_path / "study", "--tag", "v1.0.0"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    study = tmp_path / "study"
    for name in ("config/config.yaml", "profiles/slurm/config.yaml", "LICENSE"):
        assert (study / name).read_text() == (REPOSITORY / name).read_text()
    snakefile = study / "workflow" / "Snakefile"
    text = snakefile.read_text()
    declared = [line for line in text.splitlines() if "github(" in line]
    assert len(declared) == 1
    assert 'path="workflow/Snakefile", tag="v1.0.0"' in declared[0]
    # GitHub is not to be reached here: the same files from a server.
    snakefile.write_text(text.replace(declared[0].strip(), repr(served)))
    (study / "config" / "config.yaml").write_text(yaml.safe_dump(tiny_config()))
    made = snakemake(study, "results/splits/film.csv", installed=True)
    assert made.returncode == 0, made.stderr
    assert (study / "results" / "splits" / "film.csv").is_file()


def test_the_catalog_finds_what_it_asks_for():
    catalog = yaml.safe_load((REPOSITORY / ".snakemake-workflow-catalog.yml").read_text())
    assert set(catalog["usage"]) == {"mandatory-flags", "software-stack-deployment", "report"}
    for path in ("workflow/Snakefile", "config/README.md", "README.md", "LICENSE"):
        assert (REPOSITORY / path).is_file()
