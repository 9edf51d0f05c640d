"""Fetches the parts of a release or a set of weights that are not there yet."""

import shutil
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple, TextIO

from mammoflow.base import pool
from mammoflow.base.countdown import Countdown
from mammoflow.exchange.fetching import Client

# A server that fails for so many parts one after the other is not asked for more.
_IN_A_ROW = 5


class Part(NamedTuple):
    """Something that is fetched as one.

    Parameters
    ----------
    path : Path
        A file or folder, which is there only when it is complete and checked.
    size : int
        Bytes; 0 if unknown.
    fetch : callable
        Makes ``path``, or raises a ValueError of one sentence. Returns a remark, or an empty text.
    """

    path: Path
    size: int
    fetch: Callable[[], str]


class Outcome(NamedTuple):
    """Numbers of fetched and failed parts, why the first one failed, and remarks on the others."""

    fetched: int
    failed: int
    reason: str
    remarks: list[str]


def missing(parts: Sequence[Part]) -> list[Part]:
    """Parts that are not there."""
    return [part for part in parts if not part.path.exists()]


def require_room(parts: Sequence[Part], folder: Path, connections: int) -> None:
    """Refuse a disk that cannot hold some parts, and while they are unpacked, the largest ones twice.

    Raises
    ------
    ValueError
        With what is needed and what is free.
    """
    sizes = sorted(part.size for part in parts)
    needed = sum(sizes) + sum(sizes[-connections:])
    free = shutil.disk_usage(_existing(folder)).free
    if free < needed:
        raise ValueError(f"{folder}: expected {size(needed)} free on its disk, got {size(free)}")


def size(count: int) -> str:
    """Bytes for a person to read."""
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"


def fetch(parts: Sequence[Part], client: Client, connections: int, tell: TextIO) -> Outcome:
    """Fetch parts; one that fails does not end the others.

    Parameters
    ----------
    parts : sequence of Part
        What to fetch.
    client : Client
        The one that the parts use.
    connections : int
        Parts that are fetched at the same time.
    tell : file
        Where the progress is reported.

    Raises
    ------
    ValueError
        When several parts fail one after the other: the server, or the way there, has failed.
    """
    countdown = Countdown(len(parts), "files or series", tell)
    remarks, failures, in_a_row = [], [], 0
    try:
        with closing(pool.ordered(_tried, parts, connections, client.threads)) as tried:
            for error, remark in tried:
                countdown.step()
                failures += [error] if error else []
                remarks += [remark] if remark else []
                in_a_row = in_a_row + 1 if error else 0
                if in_a_row == _IN_A_ROW:
                    raise ValueError(f"{error}; {in_a_row} files or series failed one after the other")
    finally:
        countdown.end()
    return Outcome(len(parts) - len(failures), len(failures), failures[0] if failures else "", remarks)


def _tried(part: Part) -> tuple[str, str]:
    """Why a part failed, and what there is to remark about it."""
    try:
        return "", part.fetch()
    except ValueError as error:
        return str(error), ""


def _existing(folder: Path) -> Path:
    """The folder, or the next one above it that exists."""
    folder = folder.resolve()
    return next(each for each in (folder, *folder.parents) if each.exists())
