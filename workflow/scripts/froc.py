"""Evaluate the boxes of a model at all thresholds, for each fold and over all folds."""

from mammoflow.base import logs

logs.redirect(snakemake.log[0])

from mammoflow.base.contracts.detections import CANDIDATES, DETECTIONS
from mammoflow.base.contracts.index import IMAGES, LESIONS
from mammoflow.base.contracts.splits import SPLITS
from mammoflow.base.shards import by_fold
from mammoflow.evaluation import folds, froc_report
from mammoflow.evaluation.definitions import Evaluation

given, output = snakemake.input, snakemake.output
splits = SPLITS.read(given.splits)
report = froc_report.evaluate(
    folds.folds_of(
        splits,
        LESIONS.read(given.lesions),
        map(DETECTIONS.read_all, by_fold(given.detections, splits["fold"].nunique())),
        IMAGES.read(given.images),
        LESIONS.read(given.contours),
        map(CANDIDATES.read, given.candidates),
    ),
    Evaluation(**snakemake.params.evaluation),
    snakemake.params.seed,
)
froc_report.write(report, dict(output.items()))
logs.announce(f"{output.operating_points}: {froc_report.sentence(report)}")
