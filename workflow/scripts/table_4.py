"""Table 4: TPR at the paper's operating points, beside published results."""

from mammoflow import logs

logs.redirect(snakemake.log[0])

from mammoflow import tables_of_paper
from mammoflow.contracts.froc import OPERATING_POINTS
from mammoflow.evaluation import Evaluation

params, output = snakemake.params, snakemake.output
points = [OPERATING_POINTS.read(path) for path in snakemake.input.operating_points]
table = tables_of_paper.detection(
    dict(zip(params.chains, points, strict=True)), Evaluation(**params.evaluation), params.labels
)
tables_of_paper.write(table, "table-4", output.csv, output.markdown)
logs.announce(f"{output.csv}: {len(params.chains)} models beside the published rows")
