"""Write the table of ceilings: the masses that any box finds, beside those found with few false positives."""

from mammoflow.base import logs

logs.redirect(snakemake.log[0])

from mammoflow.base.contracts.froc import OPERATING_POINTS
from mammoflow.evaluation.definitions import Evaluation
from mammoflow.report.tables import ceilings, presentation

params, output = snakemake.params, snakemake.output
points = [OPERATING_POINTS.read(path) for path in snakemake.input.operating_points]
table = ceilings.table(
    dict(zip(params.chains, points, strict=True)), Evaluation(**params.evaluation), params.labels
)
presentation.write(table, ceilings.PRESENTATION, output.csv, output.markdown)
logs.announce(f"{output.csv}: {len(params.chains)} models")
