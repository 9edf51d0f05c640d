"""Draw the heat maps of experiment 4: models on the images of other data sets."""

from mammoflow.base import logs

logs.redirect(snakemake.log[0])

from mammoflow.report.figures import style, transfer_maps
from mammoflow.report.tables import presentation

output = snakemake.output
table = presentation.read(snakemake.input.table)
style.save(transfer_maps.draw(table), output.png, output.svg)
logs.announce(f"{output.png}: {len(table)} rows of {snakemake.input.table}")
