"""Write the figures as events of TensorBoard."""

from mammoflow.base import imports, logs

logs.redirect(snakemake.log[0])
imports.skip("matplotlib", "sklearn")

from mammoflow.training import events

written = events.write_figures(snakemake.output.events, snakemake.input)
logs.announce(f"{snakemake.output.events}: {written} figures")
