"""The subcommand ``mammoflow convert``: a study's images, masses and folds for other detection programs."""

import argparse
import sys
from pathlib import Path

from mammoflow.commands import arguments


def add_parser(commands: "argparse._SubParsersAction") -> None:
    """Add the parser of this subcommand."""
    command = commands.add_parser(
        "convert",
        help="write a study's images, masses and folds for other detectors",
        description="Write the images of a study as PNG, and its masses and folds as COCO or YOLO files. "
        "Stopped with Ctrl-C, the same command goes on. 'mammoflow convert-back' turns the boxes of a "
        "detector on these pictures into boxes on the original images.",
    )
    command.add_argument("results", type=Path, help="folder 'results' of a study")
    command.add_argument("--dataset", required=True, help="data set of the study")
    command.add_argument("--to", choices=("coco", "yolo"), required=True, help="layout of masses and folds")
    command.add_argument("--out", type=Path, required=True, help="folder to write to")
    command.add_argument(
        "--bits",
        type=int,
        choices=(8, 16),
        default=8,
        help="bits of a grey value; with 16, those of the study (default: 8)",
    )
    command.add_argument(
        "--threads",
        type=arguments.count,
        default=arguments.processors(),
        help="pictures written at the same time (default: all processors)",
    )
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Convert, and say what was written."""
    from mammoflow.exchange import conversion

    try:
        outcome = conversion.convert(
            options.results,
            options.dataset,
            options.to,
            options.out,
            options.bits,
            options.threads,
            sys.stderr,
        )
    except KeyboardInterrupt:
        return arguments.stopped()
    text = f"{options.out}: {outcome.pictures} pictures, {outcome.masses} masses, {outcome.folds} folds"
    if outcome.outside:
        text += f"; not written, because they lie completely outside their pictures: {outcome.outside}"
    print(text)
    return 0
