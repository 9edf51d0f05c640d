"""Table 4: TPR at the paper's operating points, beside published results."""

from mammoflow import logs

logs.redirect(snakemake.log[0])

from mammoflow import tables, tables_of_paper

params, output = snakemake.params, snakemake.output
points = [tables.read(path, "froc-operating-points") for path in snakemake.input.operating_points]
table = tables_of_paper.detection(
    dict(zip(params.chains, points, strict=True)),
    tables.read(snakemake.input.splits, "splits"),
    params.evaluation,
    params.labels,
)
tables_of_paper.write(table, 4, output.csv, output.markdown)
logs.announce(f"{output.csv}: {len(params.chains)} chains beside the published rows")
