"""Write the figures as events of TensorBoard."""

from mammoflow.base import imports, logs

logs.redirect(snakemake.log[0])
imports.begin("matplotlib", "sklearn")

from mammoflow.training import events

imports.end()

written = events.write_figures(snakemake.output.events, snakemake.input)
logs.announce(f"{snakemake.output.events}: {written} figures")
