"""Figure 2: validation loss from random and from pretrained weights."""

from mammoflow import logs

logs.redirect(snakemake.log[0])

from mammoflow.contracts.history import HISTORY
from mammoflow.figures import loss_curves, style

params, output = snakemake.params, snakemake.output
histories = [HISTORY.read(path) for path in snakemake.input.histories]
style.save(loss_curves.draw(params.runs, histories, params.labels), output.png, output.svg)
logs.announce(f"{output.png}: {len(histories)} runs")
