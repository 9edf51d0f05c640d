"""Entry of the console command `mammoflow`."""

import argparse
import sys
from collections.abc import Sequence
from importlib import metadata


def parser() -> argparse.ArgumentParser:
    """The command line; a subcommand adds its parser here, with the function to call as ``run``."""
    command = argparse.ArgumentParser(
        prog="mammoflow",
        description="Automatic mass detection in mammograms. Snakemake runs the study: see the README.",
    )
    command.add_argument("--version", action="version", version=f"mammoflow {version()}")
    command.set_defaults(run=None)
    return command


def version() -> str:
    """Version of the installed package; of a checkout that is not installed, ``unknown``."""
    try:
        return metadata.version("mammoflow")
    except metadata.PackageNotFoundError:
        return "unknown"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; without a subcommand, print the help."""
    command = parser()
    options = command.parse_args(arguments)
    if options.run is None:
        command.print_help()
        return 0
    return options.run(options)


if __name__ == "__main__":
    sys.exit(main())
