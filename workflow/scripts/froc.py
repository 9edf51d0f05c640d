"""Evaluate the boxes of a model at all thresholds, for each fold and over all folds."""

from mammoflow.base import logs

logs.redirect(snakemake.log[0])

from mammoflow.base.contracts.detections import CANDIDATES
from mammoflow.base.contracts.index import IMAGES, LESIONS
from mammoflow.base.contracts.splits import SPLITS
from mammoflow.base.shards import by_fold
from mammoflow.evaluation import folds, froc_report, matching
from mammoflow.evaluation.definitions import Evaluation
from mammoflow.evaluation.folds import Fold
from mammoflow.evaluation.matching import Boxes

given, output = snakemake.input, snakemake.output
splits = SPLITS.read(given.splits)
files = by_fold(given.detections, splits["fold"].nunique())


def boxes_of(fold: Fold) -> dict[str, Boxes]:
    """Boxes of a fold, from the files of its shards."""
    return matching.of_files(fold, files[fold.number])


report = froc_report.evaluate(
    folds.folds_of(
        splits,
        LESIONS.read(given.lesions),
        None,
        IMAGES.read(given.images),
        LESIONS.read(given.contours),
        map(CANDIDATES.read, given.candidates),
    ),
    Evaluation(**snakemake.params.evaluation),
    snakemake.params.seed,
    boxes_of,
)
froc_report.write(report, dict(output.items()))
logs.announce(f"{output.operating_points}: {froc_report.sentence(report)}")
