"""Base weights of one network in Keras' notop layout, with their record."""

from mammoflow import logs

logs.redirect(snakemake.log[0])

import json

from mammoflow import provenance, runtime, storage, weights

wildcards, params, output = snakemake.wildcards, snakemake.params, snakemake.output
runtime.configure(snakemake.threads)

with storage.whole(output.weights) as temporary:
    facts = weights.obtain(
        wildcards.weights,
        wildcards.backbone,
        params.window,
        params.source,
        params.precision,
        params.batch_normalization_momentum,
        params.seed,
        temporary,
    )

facts |= {"sha256": storage.sha256(output.weights), "provenance": provenance.record(**runtime.facts())}
with storage.whole(output.record) as temporary:
    temporary.write_text(json.dumps(facts, indent=2) + "\n")
told = f", {facts['accuracy']:.0%} of the photographs told apart" if "accuracy" in facts else ""
logs.announce(f"weights {wildcards.weights} of {wildcards.backbone}: from {facts['source']}{told}")
