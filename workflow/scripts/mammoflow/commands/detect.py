"""The subcommand ``mammoflow detect``: a model on a user's own mammograms."""

import argparse
import os
import sys
from pathlib import Path

from mammoflow.commands import arguments

# Exit status if some files were left out.
LEFT_OUT = 3


def add_parser(commands: "argparse._SubParsersAction") -> None:
    """Add the parser of this subcommand."""
    command = commands.add_parser(
        "detect",
        help="find masses in your own mammograms",
        description="Find masses in mammograms with a model that a study made. Stopped with Ctrl-C, the same "
        "command goes on. Exit status: 0, all files were searched; 3, some were left out; 1, an error.",
    )
    command.add_argument("model", type=Path, help="model file (*.mammoflow)")
    command.add_argument(
        "paths",
        type=Path,
        nargs="+",
        metavar="path",
        help="DICOM, PNG, TIFF or JPEG files, or folders of them",
    )
    command.add_argument("--out", type=Path, required=True, help="folder for the results")
    point = command.add_mutually_exclusive_group()
    point.add_argument(
        "--fpi",
        type=float,
        help="false positives per image, as on validation images (default: 0.5)",
    )
    point.add_argument(
        "--threshold", type=_share, help="threshold from 0 to 1, in place of an operating point"
    )
    command.add_argument(
        "--mode",
        choices=("candidate", "paper"),
        default="candidate",
        help="kind of boxes (default: candidate)",
    )
    command.add_argument("--formats", nargs="+", metavar="format", help="what to write (default: everything)")
    command.add_argument(
        "--spacing", type=_length, metavar="MM", help="side of a pixel where a file does not give it"
    )
    command.add_argument(
        "--acquisition",
        choices=("digital", "film"),
        help="kind of the images (default: that of the training)",
    )
    command.add_argument(
        "--paths", action="store_true", dest="write_paths", help="write files.csv: which image is which file"
    )
    command.add_argument(
        "--threads",
        type=arguments.count,
        default=arguments.processors(),
        help="processes and threads (default: all)",
    )
    command.add_argument(
        "--part",
        type=_part,
        metavar="K/N",
        help="search the K-th of N parts of the files, and write no tables",
    )
    command.set_defaults(run=run)


def _share(text: str) -> float:
    return arguments.number(text, float, lambda value: 0 <= value <= 1, "a number from 0 to 1")


def _length(text: str) -> float:
    return arguments.number(text, float, lambda value: 0 < value <= 10, "millimetres above 0 and at most 10")


def _part(text: str) -> tuple[int, int]:
    number, _, parts = text.partition("/")
    if not (number.isdecimal() and parts.isdecimal() and 1 <= int(number) <= int(parts)):
        raise argparse.ArgumentTypeError(f"expected a part such as 3/50, got {text}")
    return int(number), int(parts)


def run(options: argparse.Namespace) -> int:
    """Detect, and say how it ended."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from mammoflow.application import formats, running
    from mammoflow.base.version import version
    from mammoflow.bundles import model_file, thresholds

    model = model_file.open_model(options.model)
    fpi = 0.5 if options.fpi is None and options.threshold is None else options.fpi
    threshold, fpi = thresholds.chosen(
        model.manifest["operating_points"][options.mode], fpi, options.threshold
    )
    names = options.formats or formats.NAMES
    if unknown := [name for name in names if name not in formats.NAMES]:
        raise ValueError(f"--formats: expected some of {', '.join(formats.NAMES)}, got {', '.join(unknown)}")
    chosen = running.Options(
        mode=options.mode,
        threshold=threshold,
        fpi=fpi,
        acquisition=options.acquisition or model.manifest["input"]["acquisition"],
        spacing_mm=options.spacing,
        formats=names,
        paths=options.write_paths,
        part=options.part,
        threads=options.threads,
    )
    try:
        outcome = running.run(model, version(), options.paths, options.out, chosen, sys.stderr)
    except KeyboardInterrupt:
        return arguments.stopped()
    for sentence in outcome.unwritten:
        print(sentence, file=sys.stderr)
    print(running.summary(outcome, options.out, chosen))
    return LEFT_OUT if outcome.left_out or outcome.unwritten else 0
