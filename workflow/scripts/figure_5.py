"""Draw figure 5: FROC curves by lesion size."""

from mammoflow.base import logs

logs.redirect(snakemake.log[0])

from mammoflow.base.contracts.froc import CURVE, POINTS
from mammoflow.evaluation.definitions import Evaluation
from mammoflow.report.figures import size_strata, style

params, output = snakemake.params, snakemake.output
figure = size_strata.draw(
    POINTS.read(snakemake.input.points),
    CURVE.read(snakemake.input.curve),
    Evaluation(**params.evaluation),
    params.chain,
    params.labels,
)
style.save(figure, output.png, output.svg)
logs.announce(f"{output.png}: {params.chain}")
