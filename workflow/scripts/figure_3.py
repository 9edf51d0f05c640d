"""Draw figure 3: FROC curve of every chain, with published operating points."""

from mammoflow.base import logs

logs.redirect(snakemake.log[0])

from mammoflow.base.contracts.froc import CURVE, POINTS, POOLED
from mammoflow.evaluation.definitions import Evaluation
from mammoflow.report.figures import froc_curves, style

params, output = snakemake.params, snakemake.output
points = [POINTS.read(path) for path in snakemake.input.points]
curves = [CURVE.read(path) for path in snakemake.input.curves]
pooled = [POOLED.read(path) for path in snakemake.input.pooled]
figure = froc_curves.draw(
    dict(zip(params.chains, points, strict=True)),
    dict(zip(params.chains, curves, strict=True)),
    dict(zip(params.chains, pooled, strict=True)),
    Evaluation(**params.evaluation),
    params.labels,
)
style.save(figure, output.png, output.svg)
logs.announce(f"{output.png}: {len(curves)} chains")
