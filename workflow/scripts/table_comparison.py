"""Write the table that compares models with each other, paired by patient."""

from mammoflow.base import logs

logs.redirect(snakemake.log[0])

from mammoflow.base.contracts.froc import DRAWS, MERITS, OPERATING_POINTS
from mammoflow.evaluation.comparison import Evaluated
from mammoflow.evaluation.definitions import Evaluation
from mammoflow.report.tables import model_comparison, presentation

given, params, output = snakemake.input, snakemake.params, snakemake.output
models = {
    chain: Evaluated(OPERATING_POINTS.read(points), MERITS.read(merits), DRAWS.read(draws))
    for chain, points, merits, draws in zip(
        params.chains, given.operating_points, given.merits, given.draws, strict=True
    )
}
table = model_comparison.table(models, Evaluation(**params.evaluation), params.labels)
presentation.write(table, model_comparison.PRESENTATION, output.csv, output.markdown)
logs.announce(f"{output.csv}: {len(models)} models")
