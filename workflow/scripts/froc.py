"""Compare boxes with lesions at all thresholds, fold by fold and over the folds."""

from mammoflow import logs

logs.redirect(snakemake.log[0])

from mammoflow import froc, tables

splits = tables.read(snakemake.input.splits, "splits")
lesions = tables.read(snakemake.input.lesions, "lesions")
folds = [
    froc.fold_of(number, splits, lesions, tables.read(path, "detections"))
    for number, path in zip(snakemake.params.folds, snakemake.input.detections, strict=True)
]
report = froc.evaluate(folds, froc.Evaluation(**snakemake.params.evaluation), snakemake.params.seed)
tables.write(report.points, snakemake.output.points, "froc-points")
tables.write(report.curve, snakemake.output.curve, "froc-curve")
tables.write(report.operating_points, snakemake.output.operating_points, "froc-operating-points")
logs.announce(f"{snakemake.output.operating_points}: {froc.sentence(report)}")
