"""Reports the progress of a study: its jobs by rule and state, the time left, and failures."""

import csv
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from statistics import fmean
from typing import Any

from tabulate import tabulate

from mammoflow.study import journal

STATES = ("done", "running", "waiting", "failed", "outdated", "missing")

# A job of a dry run; a rule without a log is a target, which creates no files.
PLANNED = re.compile(r"^ *(?:local)?rule (\w+):\n(?: +(?!log:).*\n)*? +log: (.+)$", re.MULTILINE)


@dataclass
class Status:
    """The jobs of a study, each identified by its log.

    Parameters
    ----------
    rules : dict of str to str
        Rule of every job.
    states : dict of str to str
        State of every job, one of `STATES`.
    """

    rules: dict[str, str] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)

    def in_state(self, state: str) -> list[str]:
        """Jobs in a state."""
        return [job for job, of_job in self.states.items() if of_job == state]


def status(summary: str, plan: str, records: Iterable[Mapping[str, Any]]) -> Status:
    """Determine the state of every job from Snakemake's plan and from the journal.

    Parameters
    ----------
    summary : str
        Output of ``snakemake --summary``.
    plan : str
        Output of ``snakemake --dry-run``.
    records : iterable of dict
        Records of the journal (see `journal.Journal`).
    """
    jobs = Status()
    made, pending = set(), {}
    for row in csv.DictReader(_from_heading(summary), delimiter="\t"):
        log = row["log-file(s)"]
        if log == "-":
            continue
        if row["plan"] == "no update":
            jobs.rules[log], jobs.states[log] = row["rule"], "done"
        else:
            pending[log] = row["rule"]
            if row["status"] != "missing":
                made.add(log)
    happened = _last_events(records)
    for rule, log in PLANNED.findall(plan):
        jobs.rules[log] = rule
        jobs.states[log] = happened.get(log, "outdated" if log in made else "missing")
    # Jobs that finished after the summary was made are not planned any more.
    for log in pending.keys() - jobs.states.keys():
        jobs.rules[log], jobs.states[log] = pending[log], "done"
    return jobs


def _from_heading(summary: str) -> list[str]:
    lines = summary.splitlines()
    return lines[next(i for i, line in enumerate(lines) if line.startswith("output_file\t")) :]


def _last_events(records: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """State of each job that has failed, runs, or waits in a cluster's queue, from its last event."""
    states: dict[str, str] = {}
    alive = False
    for record in records:
        if record["event"] in ("run", "end"):
            # Jobs of a Snakemake that has ended or was killed do not run any more.
            states = {log: state for log, state in states.items() if state == "failed"}
        if record["event"] == "run":
            alive = journal.goes_on(record) is not False
        elif record["event"] == "started":
            states.pop(record["log"], None)
            if alive:
                states[record["log"]] = "running" if _has_begun(record) else "waiting"
        elif record["event"] == "finished":
            states.pop(record["log"], None)
        elif record["event"] == "failed":
            states[record["log"]] = "failed"
    return states


def _has_begun(started: Mapping[str, Any]) -> bool:
    """Whether a submitted job has opened its log; a job that waits in a cluster's queue has not."""
    log = started["log"]
    return os.path.exists(log) and os.path.getmtime(log) >= started["time"]


def rules(snakefile: Path) -> list[str]:
    """Rules of a workflow in the order of its includes, and within each file in their order."""
    files = re.findall(r'^include: "(.+)"$', snakefile.read_text(), re.MULTILINE)
    return [
        rule
        for file in files
        for rule in re.findall(r"^rule (\w+):$", (snakefile.parent / file).read_text(), re.MULTILINE)
    ]


def seconds(folder: Path) -> dict[str, list[float]]:
    """Durations of the jobs of every rule, from Snakemake's benchmarks.

    Parameters
    ----------
    folder : Path
        Contains ``{rule}.tsv`` or a folder ``{rule}`` with such files.
    """
    durations = defaultdict(list)
    for path in sorted(folder.rglob("*.tsv")):
        rule = path.relative_to(folder).parts[0].removesuffix(".tsv")
        with path.open() as file:
            durations[rule] += [float(row["s"]) for row in csv.DictReader(file, delimiter="\t")]
    return dict(durations)


def render(
    jobs: Status,
    order: list[str],
    took: Mapping[str, list[float]],
    records: list[Mapping[str, Any]],
    now: float,
) -> str:
    """Report the progress of a study as text.

    Parameters
    ----------
    jobs : Status
        Rules and states of the jobs.
    order : list of str
        The rules, in the order in which they are to be listed.
    took : dict of str to list of float
        Durations of finished jobs by rule, in seconds.
    records : list of dict
        Records of the journal.
    now : float
        Seconds since 1970.
    """
    done, total = len(jobs.in_state("done")), len(jobs.states)
    lines = [_table(jobs, order, took), "", f"{done} of {total} jobs are done ({_percent(done, total)})."]
    lines += _time_left(jobs, took, records, now)
    for state in ("failed", "running"):
        for log in jobs.in_state(state):
            lines += ["", f"{state}: {jobs.rules[log]}, {log}"]
            lines += [f"    {line}" for line in journal.tail(Path(log), 5 if state == "failed" else 1)]
    return "\n".join(lines)


def _percent(part: int, whole: int) -> str:
    # Rounded down, so that 100 % is reached only after the last job.
    return f"{100 * part // whole if whole else 100} %"


def _table(jobs: Status, order: list[str], took: Mapping[str, list[float]]) -> str:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for log, rule in jobs.rules.items():
        counts[rule][jobs.states[log]] += 1
    # Tables and figures are rules made in a loop, whose names no file has; they come last.
    places = {rule: place for place, rule in enumerate(order)}
    rows = [
        [
            rule,
            *(count[state] or "" for state in STATES),
            duration(fmean(took[rule])) if took.get(rule) else "",
        ]
        for rule, count in sorted(counts.items(), key=lambda item: places.get(item[0], len(places)))
    ]
    return tabulate(rows, headers=["rule", *STATES, "each"], colalign=["left"] + ["right"] * 6)


def _time_left(
    jobs: Status, took: Mapping[str, list[float]], records: list[Mapping[str, Any]], now: float
) -> list[str]:
    left = [jobs.rules[log] for log, state in jobs.states.items() if state != "done"]
    known, unknown = work_left(left, took)
    lines = []
    if known:
        lines.append(f"Time left: {duration(known)} of jobs, from the mean duration of each rule.")
    if unknown:
        lines.append(f"Unknown: the duration of {unknown} jobs of rules without a finished job.")
    together = at_once(records, took, now)
    if known and together:
        lines.append(
            f"With {together:.1f} jobs at a time, as in this run so far: about {duration(known / together)}."
        )
    return lines


def work_left(left: Iterable[str], took: Mapping[str, list[float]]) -> tuple[float, int]:
    """Total duration of the remaining jobs in seconds, and the number of jobs of unknown duration.

    Parameters
    ----------
    left : iterable of str
        The rule of every remaining job.
    took : dict of str to list of float
        Durations of finished jobs by rule, in seconds (see `seconds`).
    """
    left = list(left)
    known = [fmean(took[rule]) for rule in left if took.get(rule)]
    return sum(known), len(left) - len(known)


def at_once(records: list[Mapping[str, Any]], took: Mapping[str, list[float]], now: float) -> float | None:
    """Average number of jobs at a time in the current run; None if there is no current run.

    Parameters
    ----------
    records : list of dict
        Records of the journal.
    took : dict of str to list of float
        Durations of finished jobs by rule, in seconds. A job counts for no longer than the longest of its
        rule; the rest is time that it waited in a cluster's queue.
    now : float
        Seconds since 1970.
    """
    begun = max((i for i, record in enumerate(records) if record["event"] == "run"), default=None)
    if begun is None or records[-1]["event"] == "end" or journal.goes_on(records[begun]) is False:
        return None

    def worked(started: Mapping[str, Any], until: float) -> float:
        return min(until - started["time"], max(took.get(started["rule"], [inf])))

    started: dict[str, Mapping[str, Any]] = {}
    busy = 0.0
    for record in records[begun:]:
        if record["event"] == "started":
            started[record["log"]] = record
        elif record["event"] in ("finished", "failed") and record["log"] in started:
            busy += worked(started.pop(record["log"]), record["time"])
    busy += sum(worked(record, now) for record in started.values() if _has_begun(record))
    elapsed = now - records[begun]["time"]
    return busy / elapsed if busy and elapsed else None


def duration(seconds: float) -> str:
    """A duration as text with at most two units."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes // 1440} d {minutes % 1440 // 60} h"
