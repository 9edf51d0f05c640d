import logging

import pytest
from snakemake_interface_logger_plugins.common import LogEvent

from mammoflow.study import journal, progress

PLANNED = {f"logs/train/{n}.log": "train" for n in range(4)} | {"logs/page.log": "page"}


@pytest.fixture
def begun(tmp_path, monkeypatch):
    """A run in which the first training took a minute; the second has begun."""
    monkeypatch.chdir(tmp_path)
    writer = journal.Journal([])
    writer.begin()
    (tmp_path / "results/benchmarks/train").mkdir(parents=True)
    (tmp_path / "results/benchmarks/train/0.tsv").write_text("s\th:m:s\n60\t0:01:00\n")
    began = journal.read(journal.PATH)[0]["time"]
    started = {"event": "started", "rule": "train", "log": "logs/train/0.log", "time": began}
    return [*journal.read(journal.PATH), started, started | {"event": "finished", "time": began + 60}]


def told(records, seconds, planned=PLANNED):
    return progress.time_left(planned, records, progress.BENCHMARKS, records[0]["time"] + seconds)


def test_time_left_by_the_jobs_of_the_same_rule(begun):
    trainings = {log: rule for log, rule in PLANNED.items() if rule == "train"}
    assert told(begun, 60, trainings) == "Time left: about 3 min"
    assert told(begun, 120, trainings) == "Time left: about 6 min"


def test_what_is_not_known_is_counted(begun):
    assert told(begun, 60) == "Time left: about 3 min, plus 1 job of unknown duration"
    assert told(begun[:1], 60) == ""


def test_only_this_run_counts(begun):
    again = [*begun, begun[0] | {"time": begun[0]["time"] + 60}]
    assert told(again, 120) == ""


def test_a_line_is_told_behind_progress_and_not_too_often(begun, monkeypatch):
    handler = progress.Progress(PLANNED, every=0.0)
    monkeypatch.setattr(journal, "read", lambda path: begun)
    finished = logging.makeLogRecord({"levelno": logging.INFO, "event": LogEvent.PROGRESS})
    said = []
    monkeypatch.setattr(progress.logger, "info", lambda text, extra: said.append(text))
    handler.handle(logging.makeLogRecord({"msg": "Building DAG of jobs..."}))
    assert said == []
    handler.handle(finished)
    assert len(said) == 1
    assert said[0].startswith("Time left: about ")
    patient = progress.Progress(PLANNED, every=60.0)
    patient.handle(finished)
    assert len(said) == 1
