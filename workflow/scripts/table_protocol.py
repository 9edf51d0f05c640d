"""Protocol table: the same boxes under each definition that publications use."""

from mammoflow import logs

logs.redirect(snakemake.log[0])

from mammoflow import tables_of_paper
from mammoflow.contracts.froc import OPERATING_POINTS
from mammoflow.evaluation import Evaluation

params, output = snakemake.params, snakemake.output
points = [OPERATING_POINTS.read(path) for path in snakemake.input.operating_points]
table = tables_of_paper.protocol(
    dict(zip(params.chains, points, strict=True)), Evaluation(**params.evaluation), params.labels
)
tables_of_paper.write(table, "table-protocol", output.csv, output.markdown)
logs.announce(f"{output.csv}: {len(table)} rows")
