"""Protocol table: the same boxes under each definition that publications use."""

from mammoflow import logs

logs.redirect(snakemake.log[0])

from mammoflow.contracts.froc import OPERATING_POINTS
from mammoflow.evaluation import Evaluation
from mammoflow.tables_of_paper import presentation, protocol

params, output = snakemake.params, snakemake.output
points = [OPERATING_POINTS.read(path) for path in snakemake.input.operating_points]
table = protocol.table(
    dict(zip(params.chains, points, strict=True)), Evaluation(**params.evaluation), params.labels
)
presentation.write(table, protocol.PRESENTATION, output.csv, output.markdown)
logs.announce(f"{output.csv}: {len(table)} rows")
