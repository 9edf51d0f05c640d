"""The first stages of the tiny study with LSF's plugin and commands that stand in for LSF's own."""

import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

FAKE = Path(__file__).parent / "lsf" / "fake.py"
COMMANDS = ("bsub", "bjobs", "bkill", "badmin", "lsclusters", "bhist")
PROFILE = ["--workflow-profile", "profiles/lsf"]
INDEX, WEIGHTS = "results/index/film/images.csv", "results/weights/natural/compact.h5"

pytestmark = [
    pytest.mark.workflow,
    pytest.mark.skipif(
        find_spec("snakemake_executor_plugin_lsf") is None,
        reason="needs snakemake-executor-plugin-lsf",
    ),
]


class Lsf:
    """The commands on a PATH, and the jobs that they were given."""

    def __init__(self, folder):
        self.folder = folder
        programs = folder / "bin"
        programs.mkdir()
        for command in COMMANDS:
            program = programs / command
            program.write_text(f"#!{sys.executable}\n{FAKE.read_text()}")
            program.chmod(0o755)
        self.env = os.environ | {"LSF_FAKE": str(folder), "PATH": f"{programs}:{os.environ['PATH']}"}

    def jobs(self):
        """What was asked for, by the name of the rule."""
        asked = [json.loads(path.read_text()) for path in self.folder.glob("*.json")]
        return {job["J"].removeprefix("Snakemake_rule_").split(":")[0].split("___")[0]: job for job in asked}

    def states(self):
        return [path.read_text().strip() for path in self.folder.glob("*.state")]


@pytest.fixture
def lsf(tmp_path_factory):
    return Lsf(tmp_path_factory.mktemp("lsf"))


def test_jobs_ask_for_what_their_rules_and_the_profile_say(lsf, project):
    project.run(*PROFILE, INDEX, WEIGHTS, cores=None, env=lsf.env)
    assert (project.folder / "tiny" / INDEX).is_file()
    assert (project.folder / "tiny" / WEIGHTS).is_file()
    assert set(lsf.states()) == {"DONE"}
    jobs = lsf.jobs()
    assert {rule: (job["q"], job["gpu"]) for rule, job in jobs.items()} == {
        "phantoms": ("cpu", None),
        "index": ("cpu", None),
        "pretrain": ("gpu", "num=1"),
    }
    # Minutes, cores, and megabytes of a core.
    asked = {rule: (int(job["W"]), int(job["n"]), job["R"][0]) for rule, job in jobs.items()}
    assert asked["index"] == (120, 4, "rusage[mem=1000.0]")
    assert all(job["R"][1] == "span[hosts=1]" for job in jobs.values())
