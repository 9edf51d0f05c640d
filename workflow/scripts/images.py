"""Store the cropped and mirrored breasts of one shard of a data set, with their lesions."""

from mammoflow.base import logs

logs.redirect(snakemake.log[0])

from pathlib import Path

from mammoflow import archives
from mammoflow.base import storage
from mammoflow.base.contracts.index import IMAGES, LESIONS
from mammoflow.base.contracts.stored import STORED
from mammoflow.base.shards import shard_of
from mammoflow.breasts import filling, preparation

params, shard = snakemake.params, int(snakemake.wildcards.shard)
archive, root = archives.archive(params.archive), Path(params.root)
table = IMAGES.read(snakemake.input.images)
preparation.require_spacing(table["spacing_mm"], params.resolution, snakemake.wildcards.dataset)
table = table[[shard_of(patient, params.shards) == shard for patient in table["patient_id"]]]
lesions = LESIONS.read(snakemake.input.lesions)

with storage.create_hdf5(snakemake.output.store) as file:
    stored = filling.fill(
        file, table, lesions, archive, root, params.acquisition, params.resolution, snakemake.threads
    )
STORED.write(stored, snakemake.output.stored)
logs.announce(
    f"{snakemake.wildcards.dataset} shard {shard}: {stored['stored'].sum()} of {len(stored)} images stored"
)
