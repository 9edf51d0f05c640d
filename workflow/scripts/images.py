"""Store the breasts of one shard of a data set: cropped, mirrored, with their lesions."""

from mammoflow import logs

logs.redirect(snakemake.log[0])

from pathlib import Path

from mammoflow import datasets, images, storage
from mammoflow.contracts.index import IMAGES, LESIONS
from mammoflow.contracts.stored import STORED

params, shard = snakemake.params, int(snakemake.wildcards.shard)
archive, root = datasets.archive(params.archive), Path(params.root)
table = IMAGES.read(snakemake.input.images)
images.require_spacing(table["spacing_mm"], params.resolution, snakemake.wildcards.dataset)
table = table[[images.shard_of(patient, params.shards) == shard for patient in table["patient_id"]]]
lesions = LESIONS.read(snakemake.input.lesions)

with storage.create_hdf5(snakemake.output.store) as file:
    stored = images.fill(
        file, table, lesions, archive, root, params.acquisition, params.resolution, snakemake.threads
    )
STORED.write(stored, snakemake.output.stored)
logs.announce(
    f"{snakemake.wildcards.dataset} shard {shard}: {stored['stored'].sum()} of {len(stored)} images stored"
)
