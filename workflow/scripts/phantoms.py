"""Write a cohort of synthetic mammograms (phantoms) in the layout of an archive."""

from mammoflow.base import logs

logs.redirect(snakemake.log[0])

from pathlib import Path

from mammoflow.phantoms import cohorts

record = cohorts.write(
    Path(snakemake.output.record).parent,
    snakemake.params.phantoms,
    seed=snakemake.params.seed,
    threads=snakemake.threads,
    archive=snakemake.params.archive,
)
logs.announce(
    f"{snakemake.wildcards.dataset}: {record['images']} images of {record['patients']} patients written"
)
