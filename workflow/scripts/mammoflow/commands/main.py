"""Entry of the console command `mammoflow`."""

import argparse
import sys
from collections.abc import Sequence

from mammoflow.base import logs
from mammoflow.base.version import version
from mammoflow.commands import convert, convert_back, detect, download, evaluate, export, gpu_check


def parser() -> argparse.ArgumentParser:
    """The command line; each subcommand adds its parser, with the function to call as ``run``."""
    command = argparse.ArgumentParser(
        prog="mammoflow",
        description="Automatic mass detection in mammograms. Snakemake runs the study: see the README.",
    )
    command.add_argument("--version", action="version", version=f"mammoflow {version()}")
    command.set_defaults(run=None)
    commands = command.add_subparsers(title="commands", metavar="command")
    for module in (detect, evaluate, export, convert, convert_back, download, gpu_check):
        module.add_parser(commands)
    return command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; without a subcommand, print the help.

    An error that the package raised for a user to read ends the command with its one sentence.
    """
    command = parser()
    options = command.parse_args(arguments)
    if options.run is None:
        command.print_help()
        return 0
    try:
        return options.run(options)
    except (ValueError, OSError, MemoryError, RuntimeError) as error:
        if not logs.is_deliberate(error):
            raise
        told = error.strerror if isinstance(error, OSError) and error.strerror else error
        print(f"mammoflow: {told}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
