"""Faults that a study survives: kills, full or read-only disks, missing inputs, two runs, wrong clocks.

With `MAMMOFLOW_KILLS=20`, the complete tiny study is killed 20 times; by default, part of it is killed three
times.
"""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress

import pandas as pd
import psutil
import pytest
import yaml
from project import REPOSITORY, TINY, Project, wait_until
from results import differences

from mammoflow.study import journal

pytestmark = pytest.mark.workflow

PROFILE = ("--workflow-profile", "profiles/laptop")
KILLS = int(os.environ.get("MAMMOFLOW_KILLS", "3"))
MODEL_OF_MAPS = "digital/compact/natural"
CHAIN = f"{MODEL_OF_MAPS}/fold-0/shard-0"
SOME = (
    f"results/detections/{CHAIN}.parquet",
    f"results/classification/{MODEL_OF_MAPS}.csv",
    "results/figures/breast-regions-digital.png",
)
MODEL = "results/models/film/compact/random/fold-0/run-0/model.weights.h5"
STORE = "results/images/digital/shard-0.h5"
BANK = "results/patches/film/stored.h5"
INDEX = "results/index/film/images.csv"
MAPS = f"results/mpm/{CHAIN}.h5"
BOXES = f"results/detections/{CHAIN}.parquet"


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


def told(ran):
    """What a Snakemake that must fail said, without any traceback of its own code."""
    text = ran.stdout + ran.stderr
    assert ran.returncode != 0, text
    assert "snakemake/workflow.py" not in text
    return text


# ---- clocks: first, since what the others make again is younger than what was made from it


@contextmanager
def dated(files, days):
    """While it lasts, files are of other days."""
    times = {file: file.stat() for file in files}
    date = time.time() + days * 86400
    try:
        for file in files:
            os.utime(file, (date, date))
        yield
    finally:
        for file, was in times.items():
            os.utime(file, ns=(was.st_atime_ns, was.st_mtime_ns))


def test_dates_that_are_wrong_rerun_nothing(study):
    written = [
        study.folder / "config/config.yaml",
        study.folder / "workflow/scripts/mammoflow/patches/splits.py",
    ]
    made = [
        *(study.folder / "tiny/data").glob("*/phantoms.json"),
        *(study.folder / "tiny/results/patches").rglob("*.h5"),
        *(study.folder / "tiny/results/models").rglob("*.json"),
    ]
    for files, days in ((written, -30), (written + made, 2)):
        with dated(files, days):
            assert study.planned(*PROFILE) == {}


def test_an_input_ahead_of_the_clock_is_told_before_a_job_that_would_be_in_vain(study):
    with dated([study.folder / "tiny" / BANK], 2):
        text = told(study.snakemake(*PROFILE, "--force", MODEL))
    assert re.search(
        rf"{BANK}: expected a file of the past, got one dated (2 days|1 day, 23:\S+) ahead", text
    )
    assert (study.folder / "tiny" / MODEL).exists()
    assert study.planned(*PROFILE) == {}


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


@pytest.mark.parametrize("target", [STORE, MODEL] if KILLS < 20 else [INDEX, STORE, BANK, MODEL, MAPS, BOXES])
def test_a_killed_job_is_told_and_the_same_command_goes_on(study, finished, target):
    rule = {"models": "train", "patches": "bank"}.get(target.split("/")[1], target.split("/")[1])
    with started(study, "--force", target) as process:
        wait_until(lambda: script(process, rule))
        time.sleep(random.Random(2019).uniform(0.5, 1.5))
        script(process, rule).kill()
        process.wait(120)
    assert process.returncode != 0
    assert "1 job failed:" in said(study)
    assert not (study.folder / "tiny" / target).exists()
    study.run(*PROFILE, target)
    assert changed(study, finished) == []


def script(process, rule):
    """The process of a job's script, once it is there."""
    for child in psutil.Process(process.pid).children(recursive=True):
        with suppress(psutil.Error):
            if f".{rule}.py" in " ".join(child.cmdline()):
                return child
    return None


# ---- disks


def test_a_full_disk_is_told_before_anything_begins(disk, project):
    full = disk(project.folder / "tiny", "2m")
    full.fill(0)
    assert "workspace: expected at least 1 MB free for the records of a run, got 0.0 MB" in told(
        project.snakemake(*PROFILE)
    )
    assert os.listdir(full.folder) == ["filler"]


def test_jobs_that_find_the_disk_full_say_so_and_run_again_with_room(disk, study, finished):
    missing = (STORE, MODEL)
    workspace = disk(study.folder / "tiny", "400m")
    shutil.copytree(finished.folder / "tiny", workspace.folder, dirs_exist_ok=True)
    for target in missing:
        (study.folder / "tiny" / target).unlink()
    workspace.fill(1_100_000)
    text = told(study.snakemake(*PROFILE, *missing))
    assert "2 jobs failed:" in text
    for target in (STORE, "run-0"):
        assert re.search(
            rf"{target}\S*: expected .* MB.*, got 'No space left on device' with 0\.0 MB of", text
        )
    assert not any((study.folder / "tiny" / target).exists() for target in missing)
    assert partials(study) == []
    workspace.empty()
    study.run(*PROFILE, *missing)
    assert changed(study, finished) == []


def test_a_read_only_workspace_is_named(disk, project):
    closed = disk(project.folder / "tiny", "2m")
    closed.close()
    assert "tiny, which is read-only" in told(project.snakemake(*PROFILE, "--dry-run"))


def test_so_is_a_read_only_folder_of_results(disk, project):
    disk(project.folder / "tiny/results", "2m").close()
    text = told(project.snakemake(*PROFILE, "results/weights/natural/compact.h5"))
    assert "workspace: expected a folder that can be written, got" in text
    assert "tiny/results, which is read-only" in text


# ---- inputs


def test_an_image_that_went_away_stops_its_job_and_is_not_left_out(study, finished):
    table = pd.read_csv(study.folder / "tiny" / STORE.replace(".h5", ".csv"))
    index = pd.read_csv(study.folder / "tiny/results/index/digital/images.csv", index_col="image_id")
    image_id = table.loc[table["stored"], "image_id"].iloc[0]
    image = study.folder / "tiny/data/digital" / index.loc[image_id, "path"]
    away = image.rename(study.folder / "away")
    text = told(study.snakemake(*PROFILE, "--force", STORE))
    assert f"image '{image_id}': expected the files listed in the index, got a missing one" in text
    assert image.name not in text
    assert not (study.folder / "tiny" / STORE).exists()
    away.rename(image)
    study.run(*PROFILE, STORE)
    assert changed(study, finished) == []


def test_a_bank_that_goes_away_while_a_training_begins_is_named_and_made_again(study, finished):
    trainings = len(jobs(study, "started"))
    with started(study, "--force", MODEL) as process:
        wait_until(lambda: len(jobs(study, "started")) > trainings)
        (study.folder / "tiny" / BANK).unlink()
        process.wait(120)
    assert process.returncode != 0
    assert f"{BANK}: expected the file that an earlier job made, got none; run again" in said(study)
    assert not (study.folder / "tiny" / MODEL).exists()
    study.run(*PROFILE, MODEL)
    assert changed(study, finished) == []


# ---- locks


@pytest.mark.usefixtures("releases")
def test_a_mirror_in_jpeg_is_refused_in_one_sentence_of_the_log_and_of_the_terminal(project):
    root = project.folder / "data" / "cbis-ddsm"
    for path in (REPOSITORY / "tests/data/cbis-ddsm").glob("mass_case_description_*.csv"):
        shutil.copy(path, root)
    for number in range(3):
        (root / f"jpeg-{number}.jpg").touch()
    target = "results/index/cbis-ddsm/images.csv"
    ran = project.snakemake(target, *PROFILE, configfile=None)
    assert ran.returncode != 0
    sentence = "data/cbis-ddsm: expected DICOM files of CBIS-DDSM, found 3 .jpg files, 2 .csv files"
    (line,) = (project.folder / "logs/index/cbis-ddsm.log").read_text().splitlines()
    assert line.endswith(sentence)
    assert sentence in ran.stderr
    assert "Traceback" not in ran.stdout + ran.stderr


def test_the_second_of_two_runs_is_refused_and_a_lock_left_behind_is_released(study):
    begun = len(jobs(study, "started"))
    with started(study, "--force", MODEL) as process:
        wait_until(lambda: len(jobs(study, "started")) > begun)
        text = told(study.snakemake(*PROFILE, "--force", MODEL))
        assert process.poll() is None
    assert "Directory cannot be locked" in text
    assert "--unlock" in text
    # The block killed the first one, whose lock stays.
    assert "Directory cannot be locked" in told(study.snakemake(*PROFILE, MODEL))
    study.run(*PROFILE, "--unlock")
    study.run(*PROFILE, MODEL)


@pytest.fixture
def odd(tmp_path):
    """A project in a folder with characters that a shell, make or a pattern takes for something else."""
    folder = tmp_path / 'it\'s my "project" [1] #50% & $HOME;*'
    folder.mkdir()
    (folder / ".venv").symlink_to(sys.prefix)
    return Project(folder, python=folder / ".venv" / "bin" / "python")


def test_a_checkout_and_a_workspace_may_have_odd_paths(odd):
    weights = "results/weights/natural/compact.h5"
    odd.run(INDEX, weights, *PROFILE, settings={"workspace": "{a} workspace's $HOME [2]"})
    assert (odd.folder / "{a} workspace's $HOME [2]" / weights).exists()


def test_so_may_a_release(odd):
    root = odd.folder / "a release"
    odd.run("data/film/phantoms.json", *PROFILE)
    (odd.folder / "tiny/data/film").rename(root)
    config = yaml.safe_load(TINY.read_text())
    del config["datasets"]["film"]["phantoms"]
    config["datasets"]["film"]["root"] = str(root)
    odd.run(INDEX, "results/images/film/shard-0.h5", *PROFILE, configfile=None, settings=config)


def test_a_checkout_with_braces_is_refused(tmp_path):
    folder = tmp_path / "a{b}"
    folder.mkdir()
    ran = Project(folder).snakemake("--dry-run")
    assert ran.returncode
    assert f"checkout: expected a folder without braces in its path, got {folder}" in ran.stdout + ran.stderr


def test_a_home_that_cannot_be_written_does_with_a_cache_elsewhere(project, tmp_path):
    """As docs/cluster.md says."""
    caches = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "MPLCONFIGDIR": str(tmp_path / "cache/matplotlib")}
    project.run(INDEX, *PROFILE, env={**os.environ, "HOME": "/proc/nonexistent", **caches})
    assert (tmp_path / "cache" / "snakemake").is_dir()
