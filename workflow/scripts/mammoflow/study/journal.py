"""Records when each job starts, ends or fails, and reports failures to the user."""

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
    """Handler of Snakemake's log events that writes them to a file and remembers failed jobs.

    Snakemake's own log lacks what `quiet` hides from the terminal; the journal is always complete. Each line
    is a JSON object with `time` (seconds since 1970) and `event`: ``run`` (with `host`, `pid` and `command`),
    ``started`` (with `log`, `benchmark`, `rule`, `wildcards` and `outputs`; on a cluster, submitted),
    ``finished`` and ``failed`` (with `log`), and ``end``.

    Parameters
    ----------
    arguments : list of str
        The arguments of `snakemake` on the command line, which are repeated to resume the study.
    """

    def __init__(self, arguments: list[str]) -> None:
        super().__init__()
        self._command = shlex.join(["snakemake", *arguments])
        self._jobs: dict[int, dict[str, Any]] = {}
        self._failed: dict[int, dict[str, Any]] = {}

    def begin(self, path: Path = PATH) -> None:
        """Append the start of a run to a journal."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        if path.is_file() and not path.read_bytes().endswith(b"\n"):
            with path.open("a") as file:
                file.write("\n")
        self._write("run", host=socket.gethostname(), pid=os.getpid(), command=self._command)

    def _write(self, event: str, **facts: object) -> None:
        line = json.dumps({"time": round(time.time(), 1), "event": event, **facts})
        # A full disk is reported by the jobs; the journal only lacks a line, or has an incomplete one.
        with suppress(OSError), self._path.open("a") as file:
            file.write(f"{line}\n")

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line for the start, the end or the failure of a job; ignore other records."""
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
        """Write a line for the regular end of the run."""
        self._write("end")

    def failures(self, home: Path) -> str:
        """Report on all failed jobs that were not repeated, with the last lines of their logs.

        The report ends with the command that resumes the study.

        Parameters
        ----------
        home : Path
            The folder in which the user called snakemake; paths in the report are relative to it.
        """
        # When a group of jobs fails, Snakemake reports all of them as failed, even the finished ones.
        failed = [job for job in self._failed.values() if not all(map(os.path.exists, job["outputs"]))]
        lines = [line for job in failed for line in _failure(job, home)]
        heading = [f"{count(len(failed), 'job')} failed:"] if failed else ["The run was stopped."]
        return "\n".join(
            ["", *heading, *lines, "", f"Resume with: {self._command}", "Finished results are kept."]
        )


def _failure(job: Mapping[str, Any], home: Path) -> Iterator[str]:
    yield ""
    yield name(job["rule"], job["wildcards"])
    if job["message"]:
        yield f"  {job['message']}"
    own, *others = job["logs"] or [job["log"]]
    lines = tail(Path(own))
    yield from _excerpt(own, lines, home)
    for other in others:
        # SLURM's log holds Snakemake's messages and, if SLURM ended the job, the reason.
        more = tail(Path(other), 1000)
        yield from _excerpt(
            other, [line for line in more if line.startswith(SLURM)] if lines else more[-TAIL:], home
        )


def _excerpt(path: str, lines: list[str], home: Path) -> Iterator[str]:
    yield f"  {os.path.relpath(path, home)}{' says:' if lines else ''}"
    yield from (f"    {line}" for line in dict.fromkeys(lines))


def tail(path: Path, lines: int = TAIL) -> list[str]:
    """Last lines of a log; empty if the file does not exist."""
    if not path.is_file():
        return []
    return path.read_text(errors="replace").rstrip().splitlines()[-lines:]


def name(rule: str, wildcards: Mapping[str, str]) -> str:
    """Name of a job: its rule and its wildcards."""
    return " ".join([rule, *(f"{key}={value}" for key, value in wildcards.items())])


def count(number: int, thing: str) -> str:
    """A number with its noun in singular or plural."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def read(path: Path) -> list[dict[str, Any]]:
    """Records of a journal, oldest first; empty if there is no journal.

    Incomplete lines, written by a Snakemake that was killed, are skipped.
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
    """Whether the Snakemake of a ``run`` record is still running; None if it is on another machine."""
    if run["host"] != socket.gethostname():
        return None
    return psutil.pid_exists(run["pid"]) and psutil.Process(run["pid"]).create_time() <= run["time"] + 1
