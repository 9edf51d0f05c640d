"""What becomes of the jobs of a study, a line for each event, and what a user is told about it."""

import json
import logging
import os
import shlex
import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from snakemake_interface_logger_plugins.common import LogEvent

PATH = Path("logs/journal.jsonl")
TAIL = 10
SLURM = "slurmstepd"


class Journal(logging.Handler):
    """Handler of Snakemake's log events that writes them down and knows the jobs that failed.

    Snakemake's own log leaves out what `quiet` hides from the terminal; this one is always whole. Each line
    is a JSON object with `time` (seconds since 1970) and `event`: ``run`` (with `host`, `pid` and `command`),
    ``started`` (with `log`, `benchmark`, `rule`, `wildcards` and `outputs`; on a cluster, submitted),
    ``finished`` and ``failed`` (with `log`), and ``end``.

    Parameters
    ----------
    arguments : list of str
        What follows `snakemake` on the command line, to be repeated when the study goes on.
    """

    def __init__(self, arguments: list[str]) -> None:
        super().__init__()
        self._command = shlex.join(["snakemake", *arguments])
        self._jobs: dict[int, dict[str, Any]] = {}
        self._failed: dict[int, dict[str, Any]] = {}

    def begin(self, path: Path = PATH) -> None:
        """Begin a run in a journal, behind what stands there."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        if path.is_file() and not path.read_bytes().endswith(b"\n"):
            with path.open("a") as file:
                file.write("\n")
        self._write("run", host=socket.gethostname(), pid=os.getpid(), command=self._command)

    def _write(self, event: str, **facts: object) -> None:
        line = json.dumps({"time": round(time.time(), 1), "event": event, **facts})
        # A full disk is for the jobs to tell; the journal only lacks a line, or has half of one.
        with suppress(OSError), self._path.open("a") as file:
            file.write(f"{line}\n")

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line for the start, the end or the failure of a job; other records pass by."""
        event = getattr(record, "event", None)
        if event == LogEvent.JOB_INFO:
            job = {
                "rule": record.rule_name,
                "wildcards": dict(record.wildcards or {}),
                "outputs": [str(path) for path in record.output],
                "log": str(record.log[0]) if record.log else "",
                "benchmark": str(record.benchmark or ""),
            }
            self._jobs[record.jobid] = job
            self._failed.pop(record.jobid, None)
            self._write("started", **job)
        elif event == LogEvent.JOB_FINISHED:
            self._failed.pop(record.job_id, None)
            self._write("finished", log=self._jobs[record.job_id]["log"])
        elif event == LogEvent.JOB_ERROR:
            job = self._jobs[record.jobid]
            failure = {"message": record.rule_msg or "", "logs": [str(path) for path in record.log]}
            self._failed[record.jobid] = job | failure
            self._write("failed", log=job["log"])

    def end(self) -> None:
        """Write that the run ended by itself."""
        self._write("end")

    def failures(self, home: Path) -> str:
        """Every job that failed and was not repeated, with the last lines of its log, and how to go on.

        Parameters
        ----------
        home : Path
            The folder that the user called snakemake from; paths are told from there.
        """
        # When a group of jobs fails, all of them are reported, also those that were done.
        failed = [job for job in self._failed.values() if not all(map(os.path.exists, job["outputs"]))]
        told = [line for job in failed for line in _failure(job, home)]
        heading = [f"{count(len(failed), 'job')} failed:"] if failed else ["The run was stopped."]
        return "\n".join(["", *heading, *told, "", f"Go on with: {self._command}", "What is done is kept."])


def _failure(job: Mapping[str, Any], home: Path) -> Iterator[str]:
    yield ""
    yield name(job["rule"], job["wildcards"])
    if job["message"]:
        yield f"  {job['message']}"
    own, *others = job["logs"] or [job["log"]]
    lines = tail(Path(own))
    yield from _told(own, lines, home)
    for other in others:
        # SLURM's log holds Snakemake's chatter and, where SLURM ended the job, why.
        more = tail(Path(other), 1000)
        yield from _told(
            other, [line for line in more if line.startswith(SLURM)] if lines else more[-TAIL:], home
        )


def _told(path: str, lines: list[str], home: Path) -> Iterator[str]:
    yield f"  {os.path.relpath(path, home)}{' says:' if lines else ''}"
    yield from (f"    {line}" for line in dict.fromkeys(lines))


def tail(path: Path, lines: int = TAIL) -> list[str]:
    """Last lines of a log; none when there is no such file."""
    if not path.is_file():
        return []
    return path.read_text(errors="replace").rstrip().splitlines()[-lines:]


def name(rule: str, wildcards: Mapping[str, str]) -> str:
    """What a job is called: its rule and its wildcards."""
    return " ".join([rule, *(f"{key}={value}" for key, value in wildcards.items())])


def count(number: int, thing: str) -> str:
    """A number of things in words."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def read(path: Path) -> list[dict[str, Any]]:
    """Lines of a journal, oldest first; none when there is no journal.

    A last line that a killed Snakemake left unfinished is left out.
    """
    if not path.is_file():
        return []
    return list(_records(path.read_text().splitlines()))


def _records(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            continue


def goes_on(run: Mapping[str, Any]) -> bool | None:
    """Whether the Snakemake of a ``run`` line still lives; None when it was on another machine."""
    if run["host"] != socket.gethostname():
        return None
    return psutil.pid_exists(run["pid"]) and psutil.Process(run["pid"]).create_time() <= run["time"] + 1
