"""Estimates the remaining time and reports it during a run."""

import logging
import time
from collections.abc import Mapping
from pathlib import Path

from snakemake.logging import logger
from snakemake.settings.enums import Quietness
from snakemake_interface_logger_plugins.common import LogEvent

from mammoflow.study import journal, status

BENCHMARKS = Path("results/benchmarks")


class Progress(logging.Handler):
    """Handler of Snakemake's log events that regularly reports the remaining time.

    Parameters
    ----------
    planned : dict of str to str
        The rule of every job of this run, by its log.
    every : float
        Seconds between two reports.
    """

    def __init__(self, planned: Mapping[str, str], every: float = 60) -> None:
        super().__init__()
        self._planned = dict(planned)
        self._every = every
        self._next = time.time() + every

    def emit(self, record: logging.LogRecord) -> None:
        """Report the remaining time after a job has finished; ignore other records."""
        if getattr(record, "event", None) != LogEvent.PROGRESS or time.time() < self._next:
            return
        self._next = time.time() + self._every
        message = time_left(self._planned, journal.read(journal.PATH), BENCHMARKS, time.time())
        if message:
            logger.info(message, extra={"quietness": Quietness.PROGRESS})


def time_left(
    planned: Mapping[str, str], records: list[Mapping[str, object]], benchmarks: Path, now: float
) -> str:
    """Remaining time of a run as a message; empty while it is unknown.

    Parameters
    ----------
    planned : dict of str to str
        The rule of every job of the run, by its log.
    records : list of dict
        Records of the journal so far.
    benchmarks : Path
        Folder of Snakemake's benchmarks (see `status.seconds`).
    now : float
        Seconds since 1970.
    """
    begun = max(i for i, record in enumerate(records) if record["event"] == "run")
    done = {record["log"] for record in records[begun:] if record["event"] == "finished"}
    left = [rule for log, rule in planned.items() if log not in done]
    took = status.seconds(benchmarks)
    known, unknown = status.work_left(left, took)
    together = status.at_once(records, took, now)
    if not known or not together:
        return ""
    without = f", plus {journal.count(unknown, 'job')} of unknown duration" if unknown else ""
    return f"Time left: about {status.duration(known / together)}{without}"
