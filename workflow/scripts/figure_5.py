"""Figure 5: FROC by lesion size."""

from mammoflow import logs

logs.redirect(snakemake.log[0])

from mammoflow import froc, tables
from mammoflow.figures import size_strata, style

params, output = snakemake.params, snakemake.output
figure = size_strata.draw(
    tables.read(snakemake.input.points, "froc-points"),
    tables.read(snakemake.input.curve, "froc-curve"),
    froc.Evaluation(**params.evaluation),
    params.chain,
    params.labels,
)
style.save(figure, output.png, output.svg)
logs.announce(f"{output.png}: {params.chain}")
