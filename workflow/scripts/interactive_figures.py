"""Make the page of interactive figures: FROC curves and training curves."""

from mammoflow.base import logs

logs.redirect(snakemake.log[0])

from mammoflow.base.contracts.froc import CURVE, POINTS
from mammoflow.base.contracts.history import HISTORY
from mammoflow.evaluation.definitions import Evaluation
from mammoflow.report import interactive

given, params, output = snakemake.input, snakemake.params, snakemake.output
points, curves = (
    {chain: table.read(path) for chain, path in zip(params.chains, paths, strict=True)}
    for table, paths in ((POINTS, given.points), (CURVE, given.curves))
)
charts = [
    interactive.froc(points, curves, Evaluation(**params.evaluation), params.labels),
    interactive.trainings(params.runs, [HISTORY.read(path) for path in given.histories], params.labels),
]
interactive.write(charts, output.page)
logs.announce(f"{output.page}: {len(curves)} models, {len(params.runs)} trainings")
