"""Comparison table: models against each other, paired by patient."""

from mammoflow import logs

logs.redirect(snakemake.log[0])

from mammoflow.comparison import Evaluated
from mammoflow.contracts.froc import DRAWS, MERITS, OPERATING_POINTS
from mammoflow.evaluation import Evaluation
from mammoflow.tables_of_paper import comparison, presentation

given, params, output = snakemake.input, snakemake.params, snakemake.output
models = {
    chain: Evaluated(OPERATING_POINTS.read(points), MERITS.read(merits), DRAWS.read(draws))
    for chain, points, merits, draws in zip(
        params.chains, given.operating_points, given.merits, given.draws, strict=True
    )
}
table = comparison.table(models, Evaluation(**params.evaluation), params.labels)
presentation.write(table, comparison.PRESENTATION, output.csv, output.markdown)
logs.announce(f"{output.csv}: {len(models)} models")
