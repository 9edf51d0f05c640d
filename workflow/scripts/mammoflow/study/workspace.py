"""Checks the folders of a study before jobs run: paths, permissions, disk space and file dates."""

import os
import shlex
import shutil
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path

# More than Snakemake needs for its records of a run.
LEAST_MB = 1

# Seconds by which clocks may differ.
SKEW = 10

# Most files that a message names.
SHOWN = 10

_WRITTEN = ("results", "logs")


class WorkspaceError(Exception):
    """Raised when jobs cannot run in the workspace; the message gives the reason."""


def check(workspace: Path) -> None:
    """Check that Snakemake can keep its records in a folder; otherwise it would fail with a traceback.

    Parameters
    ----------
    workspace : Path
        An existing folder.

    Raises
    ------
    WorkspaceError
        When the folder is read-only, or its disk is full.
    """
    _check_writable(workspace, ".snakemake")
    free = shutil.disk_usage(workspace).free / 1e6
    if free < LEAST_MB:
        raise WorkspaceError(
            f"workspace: expected at least {LEAST_MB} MB free for the records of a run, got {free:.1f} MB "
            f"on the disk of {workspace}; make room and run again"
        )


def check_checkout(checkout: Path) -> None:
    """Raise when the path of the workflow has braces: Snakemake takes them for wildcards of a script's path.

    Parameters
    ----------
    checkout : Path
        The folder, with all folders above it.

    Raises
    ------
    WorkspaceError
        Naming the folder.
    """
    if set("{}") & set(str(checkout)):
        raise WorkspaceError(
            f"checkout: expected a folder without braces in its path, got {checkout}; move or rename it"
        )


def shell_word(executable: str) -> str:
    """Path of a program as a shell reads it as one word, quoted where it must be.

    Parameters
    ----------
    executable : str
        Path of the program; returned as it is when it is quoted already, which a second reading
        of the workflow as a module would do again.

    Examples
    --------
    >>> shell_word("/usr/bin/python3")
    '/usr/bin/python3'
    >>> shell_word("/my project/python3")
    "'/my project/python3'"
    >>> shell_word("'/my project/python3'")
    "'/my project/python3'"
    """
    return shlex.quote(executable) if os.path.isabs(executable) else executable


def check_results(workspace: Path) -> None:
    """Check that jobs can write their results, and that no maps of an earlier version are among them.

    Not needed for commands that only read a study.

    Parameters
    ----------
    workspace : Path
        The folder of the study.

    Raises
    ------
    WorkspaceError
        When the folder of the results, or of the logs, is read-only, or when there are such maps.
    """
    _check_writable(workspace, *_WRITTEN)
    if old := next(workspace.glob("results/mpm/*/*/*/fold-*.h5"), None):
        raise WorkspaceError(
            f"{old.relative_to(workspace)}: expected a folder for each fold, got a file of an earlier "
            "version that nothing reads; delete results/mpm and results/detections, and run again"
        )


def check_image(image: str | None) -> None:
    """Check that there is an image for --sdm apptainer, before the first job would be started in it.

    Parameters
    ----------
    image : str or None
        A file, relative to the workspace or absolute, or an address such as ``docker://…``.

    Raises
    ------
    WorkspaceError
        When there is none, or no such file.
    """
    if image is None or not ("://" in image or Path(image).is_file()):
        found = "null" if image is None else f"'{image}', which does not exist"
        raise WorkspaceError(
            "container: expected the image in which --sdm apptainer is to run jobs, a file or an address "
            f"such as docker://…, got {found}"
        )


def check_shards(paths: Iterable[str]) -> None:
    """Check that the images that jobs will read are there: Snakemake looks only for files that jobs name.

    Parameters
    ----------
    paths : iterable of str
        Shards of images stores.

    Raises
    ------
    WorkspaceError
        When one is missing; the message says how to make it again.
    """
    if missing := sorted(path for path in paths if not os.path.exists(path)):
        named = " ".join(missing[:SHOWN]) + (" …" if len(missing) > SHOWN else "")
        raise WorkspaceError(
            f"{missing[0]}: expected the images that an earlier run stored, got none ({len(missing)} such "
            f"files); make them again first: snakemake … {named}"
        )


def check_store(exists: Callable[[], bool], place: str) -> None:
    """Check that an object store answers, before Snakemake asks it for every file of a plan.

    Parameters
    ----------
    exists : callable
        Whether an object is there; whether it is does not matter.
    place : str
        The store, for the message.

    Raises
    ------
    WorkspaceError
        When the store cannot be reached, or refuses to answer.
    """
    try:
        exists()
    except Exception as error:  # each plugin of Snakemake has errors of its own
        said = " ".join(str(error).split())
        raise WorkspaceError(
            f"{place}: expected a store that answers, got {type(error).__name__}"
            f"{f' ({said})' if said else ''}; check its address and the credentials"
        ) from error


def check_dates(inputs: Iterable[str], now: float) -> None:
    """Check that no file is dated in the future: Snakemake would discard all results made from it.

    Parameters
    ----------
    inputs : iterable of str
        Files that jobs will read; missing files are skipped.
    now : float
        Seconds since 1970.

    Raises
    ------
    WorkspaceError
        When there is such a file; the message names the one furthest in the future.
    """
    dates = {path: os.stat(path).st_mtime for path in inputs if os.path.exists(path)}
    ahead = {path: date for path, date in dates.items() if date > now + SKEW}
    if ahead:
        worst = max(ahead, key=ahead.get)
        lead = timedelta(seconds=round(ahead[worst] - now))
        raise WorkspaceError(
            f"{worst}: expected a file of the past, got one dated {lead} ahead of "
            f"this machine's clock ({len(ahead)} such files); set the clock right, or touch them"
        )


def _check_writable(workspace: Path, *names: str) -> None:
    for folder in (workspace, *(workspace / name for name in names)):
        if folder.exists() and not os.access(folder, os.W_OK | os.X_OK):
            raise WorkspaceError(
                f"workspace: expected a folder that can be written, got {folder}, which is read-only"
            )
