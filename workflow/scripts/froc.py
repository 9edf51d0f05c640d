"""Compare boxes with lesions at all thresholds, fold by fold and over the folds."""

from mammoflow import logs

logs.redirect(snakemake.log[0])

from mammoflow import froc
from mammoflow.contracts.detections import DETECTIONS
from mammoflow.contracts.froc import CURVE, OPERATING_POINTS, POINTS
from mammoflow.contracts.index import LESIONS
from mammoflow.contracts.splits import SPLITS

splits = SPLITS.read(snakemake.input.splits)
lesions = LESIONS.read(snakemake.input.lesions)
folds = froc.folds_of(splits, lesions, map(DETECTIONS.read, snakemake.input.detections))
report = froc.evaluate(folds, froc.Evaluation(**snakemake.params.evaluation), snakemake.params.seed)
POINTS.write(report.points, snakemake.output.points)
CURVE.write(report.curve, snakemake.output.curve)
OPERATING_POINTS.write(report.operating_points, snakemake.output.operating_points)
logs.announce(f"{snakemake.output.operating_points}: {froc.sentence(report)}")
