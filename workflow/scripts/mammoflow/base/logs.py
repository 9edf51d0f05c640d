"""Redirects the output of a job to its log file, and announces messages on the terminal."""

import errno
import os
import sys
from contextlib import suppress
from types import TracebackType

_terminal: int | None = None


def redirect(path: str) -> None:
    """Send all output of this process, including that of native libraries, to a log file.

    Must be called before heavy imports. The file descriptors are redirected because TensorFlow writes to
    descriptor 2 directly and not to ``sys.stderr``.

    Parameters
    ----------
    path : str
        The log file; its folder must exist (Snakemake creates it).
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
    """Write one line to the log, and to the terminal from which the job was started.

    Parameters
    ----------
    message : str
        One line, without newline.
    """
    with suppress(OSError):  # on a full disk, the job fails with a clear message when it writes results
        print(message, flush=True)
    _tell(message)


def _tell(message: str) -> None:
    if _terminal is not None:
        os.write(_terminal, f"{message}\n".encode())


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Report a full disk on the terminal, since it cannot be written to the log."""
    with suppress(OSError):
        sys.__excepthook__(kind, error, trace)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        _tell(error.strerror)
