"""Compute the mass probabilities of the test patches, by every run of a model."""

from mammoflow.base import imports, logs

logs.redirect(snakemake.log[0])
imports.begin("matplotlib", "sklearn")

import pandas as pd

from mammoflow.base.contracts.classification import CLASSIFICATION
from mammoflow.detection import classification
from mammoflow.networks import runtime, trained
from mammoflow.patches import bank

imports.end()

given, wildcards, params = snakemake.input, snakemake.wildcards, snakemake.params
runtime.configure(snakemake.threads, training=False)

tables = []
for run, weights, metadata in zip(params.runs, given.weights, given.metadata, strict=True):
    runtime.forget()
    model, record = trained.load(weights, metadata, "float32")
    chosen = []
    with bank.open_bank(given.bank, run["fold"]) as parts:
        test = parts.test
        probabilities = classification.probabilities(
            [model], test.batches(256), record["normalization"], params.precision, tell=chosen.append
        )
        columns = {**run, "image_id": test.image_id, "y": test.y, "x": test.x, "label": test.labels}
    tables.append(pd.DataFrame({**columns, "probability": probabilities}))
    accuracy = ((probabilities > 0.5) == columns["label"]).mean() if len(probabilities) else float("nan")
    logs.announce(
        f"{wildcards.dataset} fold {run['fold']} {wildcards.backbone} {wildcards.init} run {run['run']}: "
        f"{len(probabilities)} test patches, accuracy {accuracy:.3f}"
        f"{''.join(f', precision: {network.policy}' for network in chosen)}"
    )

CLASSIFICATION.write(pd.concat(tables, ignore_index=True), snakemake.output.classification)
