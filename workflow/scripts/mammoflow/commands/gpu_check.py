"""The subcommand ``mammoflow gpu-check``: whether this machine trains and detects right."""

import argparse
import sys
from pathlib import Path

from mammoflow.commands.arguments import STOPPED


def add_parser(commands: "argparse._SubParsersAction") -> None:
    """Add the parser of this subcommand."""
    command = commands.add_parser(
        "gpu-check",
        help="check whether this machine, and its GPU, train and detect right",
        description="Check, in about five minutes, whether a GPU is found, computes what the processor does, "
        "resumes trainings exactly and keeps jobs apart, and how fast it is. Exit status: 0, nothing failed; "
        "2, a check failed; 1, an error.",
    )
    command.add_argument(
        "--out", type=Path, default=Path("gpu-check.json"), help="JSON file (default: gpu-check.json)"
    )
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Check, and say how it ended."""
    from mammoflow.application import machine_check

    try:
        checks = machine_check.run(options.out, sys.stdout)
    except KeyboardInterrupt:
        return STOPPED
    failed = [check.name for check in checks if check.passed is False]
    print(f"{len(failed)} of {len(checks)} checks failed; the numbers are in {options.out}")
    return 2 if failed else 0
