import json
import logging
import os
import socket
import subprocess
import sys

import pytest
from snakemake_interface_logger_plugins.common import LogEvent

from mammoflow.study import journal


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def begun(folder):
    running = journal.Journal(["--cores", "2", "--configfile", "my study.yaml"])
    running.begin()
    return running


def record(event, **facts):
    made = logging.makeLogRecord({"levelno": logging.INFO, "event": event, **facts})
    assert event.value.startswith("job_")
    return made


def started(jobid, rule="train", outputs=(), **wildcards):
    name = "-".join([rule, *wildcards.values()])
    return record(
        LogEvent.JOB_INFO,
        jobid=jobid,
        rule_name=rule,
        wildcards=wildcards,
        output=[*outputs] or [f"results/{name}.h5"],
        log=[f"logs/{name}.log"],
        benchmark=f"results/benchmarks/{name}.tsv",
    )


def finished(jobid):
    return record(LogEvent.JOB_FINISHED, job_id=jobid)


def failed(jobid, *logs, message=None):
    return record(LogEvent.JOB_ERROR, jobid=jobid, rule_msg=message, log=list(logs))


def test_a_line_for_each_event(begun):
    for event in (started(3, fold="0"), failed(3, "logs/train-0.log"), started(3, fold="0"), finished(3)):
        begun.handle(event)
    begun.end()
    first, *rest = journal.read(journal.PATH)
    assert first["command"] == "snakemake --cores 2 --configfile 'my study.yaml'"
    assert (first["host"], first["pid"]) == (socket.gethostname(), os.getpid())
    assert [line["event"] for line in rest] == ["started", "failed", "started", "finished", "end"]
    assert rest[0]["rule"] == "train"
    assert rest[0]["wildcards"] == {"fold": "0"}
    assert {line["log"] for line in rest[:-1]} == {"logs/train-0.log"}
    assert [line["time"] for line in rest] == sorted(line["time"] for line in rest)


def test_a_second_run_is_appended(begun):
    begun.end()
    again = journal.Journal([])
    again.begin()
    again.end()
    assert [line["event"] for line in journal.read(journal.PATH)] == ["run", "end", "run", "end"]


def test_a_line_that_was_cut_off_costs_no_other_line(begun):
    with journal.PATH.open("a") as file:
        file.write('{"time": 1')
    again = journal.Journal([])
    again.begin()
    assert [line["event"] for line in journal.read(journal.PATH)] == ["run", "run"]


def test_a_full_disk_stops_no_run(disk, folder):
    small = disk(folder / "logs", "64k")
    running = journal.Journal([])
    running.begin()
    small.fill(0)
    for number in range(100):
        running.handle(started(number, fold=str(number)))
    running.end()
    small.empty()
    running.begin()
    assert journal.read(journal.PATH)[-1]["event"] == "run"


def test_other_records_pass_by(begun):
    begun.handle(logging.makeLogRecord({"msg": "Building DAG of jobs..."}))
    assert len(journal.read(journal.PATH)) == 1


def test_what_failed_is_told_with_the_last_lines_of_its_log(begun, folder):
    log = folder / "logs" / "train-0.log"
    log.write_text("".join(f"line {n}\n" for n in range(30)))
    begun.handle(started(3, fold="0"))
    begun.handle(failed(3, "logs/train-0.log", "cluster/77.log", message="SLURM status is: 'FAILED'"))
    told = begun.failures(folder.parent).splitlines()
    assert "1 job failed:" in told
    assert "train fold=0" in told
    assert "  SLURM status is: 'FAILED'" in told
    at = told.index(f"  {folder.name}/logs/train-0.log says:")
    assert told[at + 1 : at + 11] == [f"    line {n}" for n in range(20, 30)]
    assert told[at + 11] == f"  {folder.name}/cluster/77.log"
    assert "Resume with: snakemake --cores 2 --configfile 'my study.yaml'" in told


def test_where_a_job_wrote_nothing_the_schedulers_log_speaks(begun, folder):
    (folder / "77.log").write_text("slurmstepd: error: Exceeded job memory limit\n")
    begun.handle(started(3, fold="0"))
    begun.handle(failed(3, "logs/train-0.log", "77.log"))
    told = begun.failures(folder)
    assert "  logs/train-0.log\n  77.log says:\n" in told
    assert "    slurmstepd: error: Exceeded job memory limit" in told


def test_why_slurm_ended_a_job_is_told_beside_its_log(begun, folder):
    (folder / "own.log").write_text("epoch 1\n")
    ended = (
        "slurmstepd-node7: error: StepId=3.0 exceeded memory limit (776978432 > 524288000), being killed\n"
    )
    (folder / "77.log").write_text(f"Building DAG of jobs...\n{ended}{ended}srun: error: Killed\n")
    begun.handle(started(3, fold="0"))
    begun.handle(failed(3, "own.log", "77.log"))
    told = begun.failures(folder)
    assert f"  own.log says:\n    epoch 1\n  77.log says:\n    {ended}" in told
    assert told.count("slurmstepd") == 1
    assert "Building" not in told


def test_what_was_repeated_is_no_failure(begun, folder):
    for event in (started(3, fold="0"), failed(3, "a.log"), started(3, fold="0"), finished(3)):
        begun.handle(event)
    told = begun.failures(folder)
    assert "train" not in told
    assert "The run was stopped." in told


def test_of_a_group_that_failed_the_jobs_that_were_done_are_not_told(begun, folder):
    (folder / "table-1.csv").touch()
    for jobid, table in ((1, "1"), (2, "2")):
        begun.handle(started(jobid, rule="table", outputs=[f"table-{table}.csv"], table=table))
    for jobid in (1, 2):
        begun.handle(failed(jobid, "a.log"))
    told = begun.failures(folder)
    assert "1 job failed:" in told
    assert "table table=2" in told
    assert "table table=1" not in told


def test_a_line_that_was_cut_off_is_left_out(begun):
    begun.handle(started(3, fold="0"))
    whole = journal.PATH.read_text()
    journal.PATH.write_text(whole[:-20])
    assert [line["event"] for line in journal.read(journal.PATH)] == ["run"]


def test_no_journal_has_no_lines(folder):
    assert journal.read(journal.PATH) == []


def test_a_run_goes_on_while_its_process_lives(begun):
    (run,) = journal.read(journal.PATH)
    assert journal.goes_on(run) is True
    assert journal.goes_on(run | {"host": "elsewhere"}) is None
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert journal.goes_on(run | {"pid": ended.pid}) is False
    # The number of a process that ended may be given to another one.
    assert journal.goes_on(run | {"time": run["time"] - 10**6}) is False


def test_lines_are_json(begun):
    begun.handle(started(3, fold="0"))
    assert all(isinstance(json.loads(line), dict) for line in journal.PATH.read_text().splitlines())
