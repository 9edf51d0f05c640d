"""Write table 4: TPR at the paper's operating points, next to published results."""

from mammoflow.base import logs

logs.redirect(snakemake.log[0])

from mammoflow.base.contracts.froc import OPERATING_POINTS
from mammoflow.evaluation.definitions import Evaluation
from mammoflow.report.tables import detection_performance, presentation

params, output = snakemake.params, snakemake.output
points = [OPERATING_POINTS.read(path) for path in snakemake.input.operating_points]
table = detection_performance.table(
    dict(zip(params.chains, points, strict=True)), Evaluation(**params.evaluation), params.labels
)
presentation.write(table, detection_performance.PRESENTATION, output.csv, output.markdown)
logs.announce(f"{output.csv}: {len(params.chains)} models beside the published rows")
