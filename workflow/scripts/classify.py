"""Compute the mass probabilities of the test patches of a fold."""

from mammoflow.base import logs

logs.redirect(snakemake.log[0])

import pandas as pd

from mammoflow.base.contracts.classification import CLASSIFICATION
from mammoflow.detection import classification
from mammoflow.networks import runtime, trained
from mammoflow.patches import bank

wildcards = snakemake.wildcards
runtime.configure(snakemake.threads, training=False)

model, record = trained.load(snakemake.input.weights, snakemake.input.metadata, "float32")
chosen = []
with bank.open_bank(snakemake.input.bank) as patches:
    test = patches.test
    probabilities = classification.probabilities(
        model, test.batches(256), record["normalization"], snakemake.params.precision, tell=chosen.append
    )
    columns = {"image_id": test.image_id, "y": test.y, "x": test.x, "label": test.labels}

table = pd.DataFrame({**columns, "probability": probabilities})
CLASSIFICATION.write(table, snakemake.output.classification)
accuracy = ((probabilities > 0.5) == columns["label"]).mean() if len(probabilities) else float("nan")
logs.announce(
    f"{wildcards.dataset} fold {wildcards.fold} {wildcards.backbone} {wildcards.init} run {wildcards.run}: "
    f"{len(probabilities)} test patches, accuracy {accuracy:.3f}"
    f"{''.join(f', precision: {network.policy}' for network in chosen)}"
)
