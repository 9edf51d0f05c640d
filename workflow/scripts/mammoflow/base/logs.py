"""Where the messages of a job go."""

import errno
import os
import sys
from contextlib import suppress
from types import TracebackType

_terminal: int | None = None


def redirect(path: str) -> None:
    """Send everything this process writes, native libraries included, to a log file.

    Called before heavy imports: TensorFlow writes to descriptor 2 itself, so replacing
    ``sys.stderr`` would miss it.

    Parameters
    ----------
    path : str
        The log file; its folder exists (Snakemake makes it).
    """
    global _terminal
    _terminal = os.dup(2)
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    sys.stdout.reconfigure(line_buffering=True)
    sys.excepthook = _uncaught


def announce(message: str) -> None:
    """Write one line to the log, and to the terminal the job was started from.

    Parameters
    ----------
    message : str
        One line, without its newline.
    """
    with suppress(OSError):  # a full disk ends the job where results are written, with a sentence
        print(message, flush=True)
    _tell(message)


def _tell(message: str) -> None:
    if _terminal is not None:
        os.write(_terminal, f"{message}\n".encode())


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Tell the terminal what no log can hold: that there is no room."""
    with suppress(OSError):
        sys.__excepthook__(kind, error, trace)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        _tell(error.strerror)
