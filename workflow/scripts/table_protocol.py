"""Write the protocol table: the same boxes, evaluated under each definition used in publications."""

from mammoflow.base import logs

logs.redirect(snakemake.log[0])

from mammoflow.base.contracts.froc import OPERATING_POINTS
from mammoflow.evaluation.definitions import Evaluation
from mammoflow.report.tables import presentation, protocol

params, output = snakemake.params, snakemake.output
points = [OPERATING_POINTS.read(path) for path in snakemake.input.operating_points]
table = protocol.table(
    dict(zip(params.chains, points, strict=True)), Evaluation(**params.evaluation), params.labels
)
presentation.write(table, protocol.PRESENTATION, output.csv, output.markdown)
logs.announce(f"{output.csv}: {len(table)} rows")
