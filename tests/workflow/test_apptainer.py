"""Single jobs in an image, with a command that stands in for Apptainer's own."""

import os
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.workflow

# Writes down what it is asked for, and runs the command of the job without an image.
STAND_IN = """#!/bin/sh
if [ "$1" = --version ]; then echo apptainer version 1.4.5; exit; fi
echo "$*" >> '{asked}'
while [ "$1" != '{image}' ]; do shift; done
shift
exec "$@"
"""
TARGET = "results/index/digital/images.csv"
JOBS = ["index", "phantoms"]


class Apptainer:
    """The command on a PATH, the image that it is given, and what it was asked for."""

    def __init__(self, folder):
        self.image = folder / "mammoflow.sif"
        self.image.touch()
        self._asked = folder / "asked"
        program = folder / "bin" / "apptainer"
        program.parent.mkdir()
        program.write_text(STAND_IN.format(asked=self._asked, image=self.image))
        program.chmod(0o755)
        python = Path(sys.executable).parent  # the image's, in place of which this one runs
        self.env = os.environ | {"PATH": f"{program.parent}:{python}:{os.environ['PATH']}"}

    def asked(self):
        return self._asked.read_text().splitlines() if self._asked.exists() else []


@pytest.fixture
def apptainer(tmp_path_factory):
    return Apptainer(tmp_path_factory.mktemp("apptainer"))


def study(project, apptainer, *arguments):
    project.run(*arguments, TARGET, settings={"container": str(apptainer.image)}, env=apptainer.env)
    assert (project.folder / "tiny" / TARGET).is_file()
    return apptainer.asked()


def test_every_job_runs_in_the_image_that_the_config_names(project, apptainer):
    asked = study(project, apptainer, "--sdm", "apptainer", "--apptainer-args", "--bind /data")
    assert sorted(job for line in asked for job in JOBS if f".{job}.py" in line) == JOBS
    assert all("--bind /data" in line for line in asked)
    assert all(f"--home {project.folder / 'tiny'} " in line for line in asked)


@pytest.mark.parametrize(("image", "said"), [(None, "null"), ("no.sif", "'no.sif', which does not exist")])
def test_without_an_image_no_job_starts(project, apptainer, image, said):
    ran = project.snakemake(TARGET, "--sdm", "apptainer", settings={"container": image}, env=apptainer.env)
    assert ran.returncode
    expected = "the image in which --sdm apptainer is to run jobs, a file or an address such as docker://…"
    assert f"container: expected {expected}, got {said}" in ran.stdout + ran.stderr
    assert not apptainer.asked()


def test_without_being_asked_for_no_job_does(project, apptainer):
    assert study(project, apptainer) == []
