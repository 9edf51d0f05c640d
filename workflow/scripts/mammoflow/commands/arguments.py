"""Values of options, and endings, that several subcommands have in common."""

import argparse
import math
import os
import sys
from collections.abc import Callable

# Exit status if the user stopped the command.
STOPPED = 130


def number(text: str, kind: type, valid: Callable[[float], bool], expected: str) -> float:
    """A number that is valid; otherwise the usage error says what was expected."""
    try:
        value = kind(text)
    except ValueError:
        value = math.nan
    if not valid(value):
        raise argparse.ArgumentTypeError(f"expected {expected}, got {text}")
    return value


def count(text: str) -> int:
    """A whole number of at least 1."""
    return int(number(text, int, lambda value: value >= 1, "a whole number of at least 1"))


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def stopped() -> int:
    """Say that the user stopped a command that goes on when it is given again; its exit status."""
    print("Stopped. What is done is kept: the same command goes on.", file=sys.stderr)
    return STOPPED
