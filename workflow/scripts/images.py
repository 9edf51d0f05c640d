"""Store the breasts of one shard of a data set: cropped, mirrored, with their lesions."""

from mammoflow import logs

logs.redirect(snakemake.log[0])

from pathlib import Path

from mammoflow import images, storage, tables
from mammoflow.datasets import ARCHIVES

params, shard = snakemake.params, int(snakemake.wildcards.shard)
archive, root = ARCHIVES[params.archive], Path(params.root)
table = tables.read(snakemake.input.images, "images")
table = table[[images.shard_of(patient, params.shards) == shard for patient in table["patient_id"]]]
lesions = tables.read(snakemake.input.lesions, "lesions")

with storage.create_hdf5(snakemake.output.store) as file:
    stored = images.fill(
        file, table, lesions, archive, root, params.acquisition, params.resolution, snakemake.threads
    )
tables.write(stored, snakemake.output.stored, "stored")
logs.announce(
    f"{snakemake.wildcards.dataset} shard {shard}: {stored['stored'].sum()} of {len(stored)} images stored"
)
