"""Pretrain the base weights of one network on natural photographs and write them with their record."""

from mammoflow.base import imports, logs

logs.redirect(snakemake.log[0])
imports.begin("matplotlib", "sklearn")

import json

from mammoflow.base import seeds, storage
from mammoflow.networks import backbones, runtime
from mammoflow.study import provenance
from mammoflow.training import pretraining

imports.end()

wildcards, params, output = snakemake.wildcards, snakemake.params, snakemake.output
runtime.configure(snakemake.threads)

pretext = pretraining.Pretext(*(params.pretext[key] for key in ("steps", "batch", "learning_rate")))
model, accuracy = pretraining.pretrain(
    wildcards.backbone,
    params.window,
    pretext,
    runtime.policy(params.training["precision"]),
    params.training["batch_normalization_momentum"],
    seeds.integer(params.seed, "weights", wildcards.weights, wildcards.backbone),
)
with storage.whole(output.weights) as temporary:
    backbones.save_notop(model, temporary)
record = {
    "source": "photographs",
    "steps": pretext.steps,
    "accuracy": accuracy,
    "sha256": storage.sha256(output.weights),
    "provenance": provenance.record(**runtime.facts()),
}
with storage.whole(output.record) as temporary:
    temporary.write_text(json.dumps(record, indent=2) + "\n")
logs.announce(
    f"weights {wildcards.weights} of {wildcards.backbone}: {accuracy:.0%} of the photographs recognised"
)
