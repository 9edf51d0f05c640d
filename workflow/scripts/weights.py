"""Write the base weights of one network, from Keras or from a user's file, with their record."""

from mammoflow.base import logs

logs.redirect(snakemake.log[0])

import json

from mammoflow.base import storage
from mammoflow.networks import runtime, weights
from mammoflow.study import provenance

wildcards, params, output = snakemake.wildcards, snakemake.params, snakemake.output
runtime.configure(snakemake.threads, gpus=0)

with storage.whole(output.weights) as temporary:
    facts = weights.obtain(wildcards.weights, wildcards.backbone, params.window, params.source, temporary)

facts |= {"sha256": storage.sha256(output.weights), "provenance": provenance.record()}
with storage.whole(output.record) as temporary:
    temporary.write_text(json.dumps(facts, indent=2) + "\n")
logs.announce(f"weights {wildcards.weights} of {wildcards.backbone}: from {facts['source']}")
