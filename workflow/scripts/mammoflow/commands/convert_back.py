"""The subcommand ``mammoflow convert-back``: boxes on converted pictures as boxes on the original images."""

import argparse
from pathlib import Path


def add_parser(commands: "argparse._SubParsersAction") -> None:
    """Add the parser of this subcommand."""
    command = commands.add_parser(
        "convert-back",
        help="turn another detector's boxes on converted pictures into boxes on the originals",
        description="Turn COCO results on the pictures of 'mammoflow convert' into a table of boxes on the "
        "original images, for detection.external of a study and for 'mammoflow evaluate'.",
    )
    command.add_argument(
        "results",
        type=Path,
        nargs="+",
        help="COCO results (.json); of several folds, the results of each on its test part",
    )
    command.add_argument("--pictures", type=Path, required=True, help="folder that 'mammoflow convert' wrote")
    command.add_argument("--out", type=Path, required=True, help="table to write (.csv)")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Convert back, and say what was written."""
    from mammoflow.base.contracts.detections import EXTERNAL
    from mammoflow.exchange import conversion_back

    if options.out.suffix != ".csv":
        raise ValueError(f"--out: expected the name of a table to write (.csv), got {options.out.name}")
    boxes = conversion_back.boxes(options.results, options.pictures)
    EXTERNAL.write(boxes, options.out)
    print(f"{options.out}: {len(boxes)} boxes on {boxes['image_id'].nunique()} images")
    return 0
