"""Evaluate the boxes of an external system on the lesions of a data set, in the same way as ours."""

from mammoflow.base import logs

logs.redirect(snakemake.log[0])

from mammoflow.base.contracts.index import IMAGES, LESIONS
from mammoflow.base.contracts.splits import SPLITS
from mammoflow.evaluation import external, froc_report, matching
from mammoflow.evaluation.definitions import Evaluation

given, output = snakemake.input, snakemake.output
splits, images = SPLITS.read(given.splits), IMAGES.read(given.images)
boxes = external.check(external.read(given.boxes), images, splits, origin=given.boxes)
report = froc_report.evaluate(
    external.folds(boxes, splits, LESIONS.read(given.lesions), images, LESIONS.read(given.contours)),
    Evaluation(**snakemake.params.evaluation),
    snakemake.params.seed,
    boxes_of=matching.of_scores,
)
froc_report.write(report, dict(output.items()))
logs.announce(f"{output.operating_points}: {froc_report.sentence(report)}")
