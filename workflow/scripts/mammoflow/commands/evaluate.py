"""The subcommand ``mammoflow evaluate``: anybody's detections against anybody's truth."""

import argparse
import math
from pathlib import Path

_FPI = (0.25, 0.5, 1.0, 2.0, 4.0)


def add_parser(commands: "argparse._SubParsersAction") -> None:
    """Add the parser of this subcommand."""
    command = commands.add_parser(
        "evaluate",
        help="FROC of any detections",
        description="Compare boxes with lesions as the study does: operating points, FROC curve.",
    )
    command.add_argument(
        "detections", type=Path, help="COCO results (.json), or a table with image_id, y0, x0, y1, x1, score"
    )
    command.add_argument(
        "truth", type=Path, help="COCO data set (.json), or a table of lesions with image_id, y0, x0, y1, x1"
    )
    command.add_argument(
        "--images", type=Path, help="with a table of lesions: table of all images, with image_id"
    )
    command.add_argument("--out", type=Path, required=True, help="folder for the results")
    command.add_argument(
        "--fpi", type=float, nargs="+", default=_FPI, help="operating points (default: 0.25 0.5 1 2 4)"
    )
    command.add_argument(
        "--hit", default="iou-above", help="iou-above (default), iou-at-least or centre-in-box"
    )
    command.add_argument(
        "--iou", type=float, default=0.2, help="intersection over union of a hit (default: 0.2)"
    )
    command.add_argument("--duplicates", default="ignore", help="ignore (default) or false-positive")
    command.add_argument(
        "--fpi-over", default="all", help="images whose false positives count: all (default), mass or normal"
    )
    command.add_argument(
        "--bootstrap", type=int, default=2000, help="draws for the intervals (default: 2000)"
    )
    command.add_argument("--seed", type=int, default=0, help="seed of the draws (default: 0)")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Evaluate, write the results, and print the operating points."""
    from mammoflow.evaluation import froc_report
    from mammoflow.evaluation.definitions import Evaluation
    from mammoflow.library import box_files, scoring
    from mammoflow.report.figures import froc_alone, style

    if not all(0 <= fpi < math.inf for fpi in options.fpi) or options.bootstrap < 1 or options.seed < 0:
        raise ValueError(
            "evaluate: expected finite --fpi of at least 0, --bootstrap of at least 1, --seed of at least 0"
        )
    evaluation = Evaluation(
        mode="candidate",
        hit=options.hit,
        iou=options.iou,
        duplicates=options.duplicates,
        lesions="merged",
        fpi_over=options.fpi_over,
        operating_points=options.fpi,
        size_strata_cm2=(1, 4),
        bootstrap=options.bootstrap,
    )
    images, lesions, names = box_files.truth(options.truth, options.images)
    boxes = box_files.detections(options.detections, names)
    report = scoring.report(boxes, lesions, images, evaluation, options.seed)
    names_of_files = {
        name: f"{name.replace('_', '-')}.{'parquet' if name == 'draws' else 'csv'}"
        for name in froc_report.TABLES
    }
    froc_report.write(report, {name: str(options.out / file) for name, file in names_of_files.items()})
    definition = evaluation.definition
    shown = definition.rows(report.operating_points)
    figure = froc_alone.draw(
        definition.rows(report.points),
        shown,
        definition,
        f"{len(boxes)} boxes, {len(lesions)} lesions, {len(images)} images",
    )
    style.save(figure, options.out / "froc.png", options.out / "froc.svg")
    print(f"{len(boxes)} boxes, {len(lesions)} lesions, {len(images)} images; hit: {definition.rule}")
    print("   FPI    TPR  95 % interval")
    for row in shown[shown["fpi"].isin(options.fpi)].itertuples():
        print(f"{row.fpi:6g}  {row.tpr_mean:5.3f}  {row.bootstrap_low:.3f} to {row.bootstrap_high:.3f}")
    print(f"{options.out}: operating-points.csv, froc.png and more")
    return 0
