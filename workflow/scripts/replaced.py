"""List the images of a release that have changed since they were stored, and how to rebuild them."""

from mammoflow.base import logs

logs.redirect(snakemake.log[0])

from pathlib import Path

import pandas as pd

from mammoflow import archives
from mammoflow.base.contracts.index import IMAGES, LESIONS, REPLACED
from mammoflow.base.contracts.stored import STORED
from mammoflow.base.shards import shard_of
from mammoflow.breasts import replaced

inputs, params, name = snakemake.input, snakemake.params, snakemake.wildcards.dataset
table = IMAGES.read(inputs.images)
replaced_images = replaced.find(
    table,
    LESIONS.read(inputs.lesions),
    pd.concat(map(STORED.read, inputs.stored)),
    archives.archive(params.archive),
    Path(params.root),
    snakemake.threads,
)
REPLACED.write(replaced_images, snakemake.output.replaced)

sentence = f"{name}: {len(replaced_images)} of {len(table)} images have changed since they were stored"
if "index" in set(replaced_images["begins"]):
    sentence += f"; rebuild them with --forcerun results/index/{name}/images.csv"
elif len(replaced_images):
    patients = table.set_index("image_id").loc[replaced_images["image_id"], "patient_id"]
    shards = sorted({shard_of(patient, params.shards) for patient in patients})
    stores = " ".join(f"results/images/{name}/shard-{shard}.h5" for shard in shards)
    sentence += f"; rebuild them with --forcerun {stores}"
print(replaced_images.to_string(index=False))
logs.announce(sentence)
