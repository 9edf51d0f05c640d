"""What a study survives: kills, full and closed disks, inputs that go away, two runs at once, wrong clocks.

`MAMMOFLOW_KILLS=20` kills the whole tiny study as often; otherwise it is a part of it, three times.
"""

import os
import random
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager

import pytest
from project import Project, wait_until
from results import differences

from mammoflow import journal

pytestmark = pytest.mark.workflow

PROFILE = ("--workflow-profile", "profiles/laptop")
KILLS = int(os.environ.get("MAMMOFLOW_KILLS", "3"))
CHAIN = "digital/compact/natural/fold-0"
SOME = (
    f"results/detections/{CHAIN}.parquet",
    f"results/classification/{CHAIN}/run-0.csv",
    "results/figures/breast-regions-digital.png",
)
MODEL = "results/models/film/compact/random/fold-0/run-0/model.weights.h5"
STORE = "results/images/digital/shard-0.h5"
BANK = "results/patches/film/fold-0.h5"


def copied(finished, folder):
    """A copy of the finished study, which a test may spoil."""
    study = Project(folder)
    shutil.copytree(finished.folder / "tiny", folder / "tiny", dirs_exist_ok=True)
    return study


@pytest.fixture(scope="module")
def study(finished, tmp_path_factory):
    """A copy for all tests that leave it as they found it."""
    return copied(finished, tmp_path_factory.mktemp("faults"))


def events(project):
    return journal.read(project.folder / "tiny" / journal.PATH)


def jobs(project, kind):
    return [event for event in events(project) if event["event"] == kind]


def running(project):
    """Rules of the jobs of the last run that have begun and not ended."""
    begun = {}
    for event in events(project):
        if event["event"] == "run":
            begun.clear()
        elif event["event"] == "started":
            begun[event["log"]] = event["rule"]
        elif event["event"] in ("finished", "failed"):
            begun.pop(event["log"], None)
    return sorted(begun.values())


def changed(project, finished):
    """Differences of the files that both studies have; there are no half files under a final name."""
    found = differences(project.folder / "tiny/results", finished.folder / "tiny/results")
    return [difference for difference in found if not difference.startswith("only in one: ")]


def partials(project):
    return list((project.folder / "tiny").rglob(".*.partial.*"))


@contextmanager
def started(project, *arguments):
    """A Snakemake in a process group of its own; it is killed with all it began when the block ends."""
    with (project.folder / "said").open("w") as said:
        process = subprocess.Popen(
            project.command(*PROFILE, *arguments),
            cwd=project.folder,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def said(project):
    return (project.folder / "said").read_text()


# ---- kills


def test_a_study_killed_again_and_again_ends_as_one_left_alone(project, finished):
    chance = random.Random(2019)
    targets = () if KILLS >= 20 else SOME
    total = sum(project.planned(*PROFILE, *targets).values())
    killed = []
    for number in range(KILLS):
        goal = chance.uniform(number, number + 1) / KILLS * total
        with started(project, *targets) as process:
            wait_until(
                lambda goal=goal, process=process: (
                    len(jobs(project, "finished")) >= goal - 1 or process.poll() is not None
                ),
                600,
            )
            time.sleep(chance.uniform(0, 4))
            if process.poll() is not None:
                assert process.returncode == 0, said(project)
                break
        killed.append(running(project))
        print(f"killed after {len(jobs(project, 'finished'))} of {total} jobs, during {killed[-1]}")
        assert changed(project, finished) == []
        if any((project.folder / "tiny/.snakemake").glob("locks/*")):
            project.run(*PROFILE, *targets, "--unlock")
    assert len(killed) >= KILLS - 1
    project.run(*PROFILE, *targets)
    found = differences(project.folder / "tiny/results", finished.folder / "tiny/results")
    if targets:
        assert all((project.folder / "tiny" / target).is_file() for target in targets)
        ours = (project.folder / "tiny/results").rglob("*")
        unasked = {f"only in one: {path.relative_to(project.folder / 'tiny/results')}" for path in ours}
        found = [line for line in found if not line.startswith("only in one: ") or line in unasked]
    assert found == []
    assert partials(project) == []
    assert not any((project.folder / "tiny/results/resume").rglob("*.state"))
