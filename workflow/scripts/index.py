"""Index a release: its images, its masses, what is left out and why, and its counts beside the paper's."""

from mammoflow import logs

logs.redirect(snakemake.log[0])

from pathlib import Path

from mammoflow import tables
from mammoflow.datasets import ARCHIVES

index = ARCHIVES[snakemake.params.archive].index(Path(snakemake.params.root), snakemake.threads)
for name in ("images", "lesions", "excluded", "reconciliation"):
    tables.write(getattr(index, name), snakemake.output[name], name)
logs.announce(
    f"{snakemake.wildcards.dataset}: {len(index.images)} images of {index.images['patient_id'].nunique()} "
    f"patients, {len(index.lesions)} masses, {len(index.excluded)} exclusions"
)
