"""Reports to the user: during a run, after a failed job, and after the run."""

import json
import re
import subprocess
import sys

import pytest
from project import TINY, wait_until

from mammoflow.study import journal

pytestmark = pytest.mark.workflow

WEIGHTS = "results/weights/natural/compact.h5"

# In the place of the stage that needs nothing: it waits for a word, then fails or not.
SCRIPT = """
from mammoflow.base import logs
logs.redirect(snakemake.log[0])
import time
from pathlib import Path
Path("begun").touch()
while not Path("word").exists():
    time.sleep(0.1)
print("the word is here")
if Path("word").read_text() == "fail":
    raise ValueError("broken on purpose")
for path in snakemake.output:
    Path(path).touch()
"""


@pytest.fixture
def prepared(project):
    (project.folder / "workflow/scripts/pretrain.py").write_text(SCRIPT)
    return project


def status(project, *arguments):
    ran = subprocess.run(
        [sys.executable, "workflow/scripts/status.py", "--configfile", TINY, *arguments],
        cwd=project.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def row(said, rule):
    """Counts of a rule, by the heads of the columns."""
    heading, ruler, *rows = said.splitlines()
    ends = [len(line.rstrip()) for line in _widths(ruler)]
    (line,) = [line for line in rows if line.startswith(f"{rule} ")]
    cells = [line[begin:end].strip() for begin, end in zip([0, *ends], ends, strict=False)]
    names = [heading[begin:end].strip() for begin, end in zip([0, *ends], ends, strict=False)]
    return {name: int(cell) for name, cell in zip(names[1:-1], cells[1:-1], strict=True) if cell}


def _widths(ruler):
    """The ruler cut off behind each of its columns."""
    return [ruler[: i + 1] for i, mark in enumerate(ruler) if mark == "-" and ruler[i + 1 : i + 2] != "-"]


def test_a_study_that_runs_fails_and_goes_on(prepared):
    workspace = prepared.folder / "tiny"
    command = prepared.command(WEIGHTS, "--quiet", "rules")
    with subprocess.Popen(command, cwd=prepared.folder, stderr=subprocess.PIPE, text=True) as running:
        wait_until((workspace / "begun").exists)
        said = status(prepared)
        (workspace / "word").write_text("fail")
        report = running.communicate(timeout=120)[1]
    assert re.search(r"^0 of \d+ jobs are done \(0 %\)\.", said, re.MULTILINE)
    assert row(said, "pretrain") == {"running": 1}
    assert row(said, "train") == {"missing": 14}
    assert "running: pretrain, logs/pretrain/natural/compact.log" in said

    assert running.returncode != 0
    report = report[report.index("1 job failed:") :]
    assert "pretrain weights=natural backbone=compact" in report
    assert "  tiny/logs/pretrain/natural/compact.log says:\n    the word is here\n" in report
    assert "    broken on purpose\n" in report
    assert f"Resume with: snakemake --configfile {TINY} --cores 2 {WEIGHTS} --quiet rules\n" in report

    said = status(prepared)
    assert row(said, "pretrain") == {"failed": 1}
    assert "failed: pretrain, logs/pretrain/natural/compact.log" in said
    assert "broken on purpose" in said

    (workspace / "word").write_text("go on")
    prepared.run(WEIGHTS)
    said = status(prepared)
    assert row(said, "pretrain") == {"done": 1}
    assert re.search(r"^1 of \d+ jobs are done ", said, re.MULTILINE)
    assert "failed: " not in said


def test_after_a_kill_nothing_runs(prepared):
    workspace = prepared.folder / "tiny"
    with subprocess.Popen(
        prepared.command(WEIGHTS), cwd=prepared.folder, stderr=subprocess.DEVNULL
    ) as running:
        wait_until((workspace / "begun").exists)
        running.kill()
    try:
        assert row(status(prepared), "pretrain") == {"missing": 1}
        events = [record["event"] for record in journal.read(workspace / journal.PATH)]
        assert events == ["run", "started"]
    finally:
        # The job outlived its Snakemake.
        (workspace / "word").write_text("fail")


@pytest.mark.parametrize("arguments", [["--directory", "other"], ["--config", "workspace=other"]])
def test_the_command_line_may_name_the_workspace(project, arguments):
    log = project.folder / "other/logs/index/film.log"
    log.parent.mkdir(parents=True)
    log.write_text("ValueError: no film\n")
    failed = {"event": "failed", "log": "logs/index/film.log"}
    (project.folder / "other" / journal.PATH).write_text(f"{json.dumps(failed)}\n")
    said = status(project, *arguments)
    assert row(said, "index") == {"failed": 1, "missing": 1}
    assert "ValueError: no film" in said


def test_a_finished_study_is_done(finished):
    said = status(finished)
    assert "jobs are done (100 %)." in said
    assert all(set(row(said, rule)) == {"done"} for rule in ("phantoms", "train", "page"))
    assert "Time left:" not in said


def test_a_wrong_config_is_told_in_its_own_words(project):
    wrong = project.folder / "wrong.yaml"
    wrong.write_text("trainig: {}\n")
    ran = subprocess.run(
        [sys.executable, "workflow/scripts/status.py", "--configfile", TINY, wrong],
        cwd=project.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode != 0
    assert "Unknown config key 'trainig'" in ran.stderr
    assert "status.py" not in ran.stderr
