"""Redirects the output of a job to its log file, and announces messages on the terminal."""

import errno
import os
import re
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from types import TracebackType

# What this package raises for a user to read. Others, as a KeyError, tell of a fault in the code.
_FOR_USERS = (ValueError, OSError, MemoryError, RuntimeError)
_PACKAGE = Path(__file__).resolve().parents[1]
_FRAME = re.compile(r'^  File "(?P<path>.+)", line \d+, in .+\n    (?P<statement>.*)$', re.MULTILINE)

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
    """Write why the process ends: one sentence for an error raised on purpose, else a traceback.

    A full disk is reported on the terminal, since no log can hold it. For the rest, Snakemake's summary
    shows the end of each log.
    """
    with suppress(OSError):
        if is_deliberate(error):
            print(_sentence(error), file=sys.stderr, flush=True)
        else:
            sys.__excepthook__(kind, error, trace)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        _tell(error.strerror)


def is_deliberate(error: BaseException) -> bool:
    """Whether a ``raise`` statement of this package or of the script made an error, with one line to say.

    Parameters
    ----------
    error : BaseException
        With its traceback. One from a worker process has that as text in its cause.
    """
    if not isinstance(error, _FOR_USERS) or len(_sentence(error).splitlines()) != 1:
        return False
    remote = getattr(error.__cause__, "tb", None)  # as concurrent.futures sends it
    text = remote if isinstance(remote, str) else "".join(traceback.format_tb(error.__traceback__))
    if not (frames := list(_FRAME.finditer(text))):
        return False
    path, statement = Path(frames[-1]["path"]).resolve(), frames[-1]["statement"]
    # Snakemake runs a copy of a script, in which __file__ is the path of the original.
    is_ours = path.is_relative_to(_PACKAGE) or path == Path(sys.argv[0]).resolve()
    return is_ours and statement.startswith("raise ")


def _sentence(error: BaseException) -> str:
    """Message of an error, without the number that the system puts before it."""
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)
