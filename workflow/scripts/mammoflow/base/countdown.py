"""Reports how many of a known number of items are done, and how long the rest will take."""

import time
from typing import TextIO

# Seconds between two reports where they cannot replace each other.
_EVERY = 10


class Countdown:
    """Reports to a person at a terminal, or to a log.

    Parameters
    ----------
    total : int
        Number of items.
    items : str
        What they are, such as ``"images"``.
    tell : file
        A terminal, on which each report replaces the one before, or another file.
    """

    def __init__(self, total: int, items: str, tell: TextIO) -> None:
        self._total, self._items, self._tell = total, items, tell
        self._done, self._begun = 0, time.monotonic()
        self._next = self._begun + _EVERY

    def step(self) -> None:
        """Count one more item."""
        self._done += 1
        now = time.monotonic()
        if self._done == 1:  # nothing is known of the time of one before the first has been started
            self._begun = now
        message = f"{self._done} of {self._total} {self._items}"
        if self._done > 1:
            left = (now - self._begun) / (self._done - 1) * (self._total - self._done)
            message += f", about {_duration(left)} left"
        if self._tell.isatty():
            print(f"\r{message:<60}", end="", file=self._tell, flush=True)
        elif now >= self._next:
            self._next = now + _EVERY
            print(message, file=self._tell, flush=True)

    def end(self) -> None:
        """Leave the line."""
        if self._tell.isatty():
            print(file=self._tell)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
