"""Draw figure 2: validation loss of trainings from random and from pretrained weights."""

from mammoflow.base import logs

logs.redirect(snakemake.log[0])

from mammoflow.base.contracts.history import HISTORY
from mammoflow.report.figures import loss_curves, style

params, output = snakemake.params, snakemake.output
histories = [HISTORY.read(path) for path in snakemake.input.histories]
style.save(loss_curves.draw(params.runs, histories, params.labels), output.png, output.svg)
logs.announce(f"{output.png}: {len(histories)} runs")
