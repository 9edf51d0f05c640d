"""Say which images of a release are no longer what was stored, and what makes them again."""

from mammoflow.base import logs

logs.redirect(snakemake.log[0])

from pathlib import Path

import pandas as pd

from mammoflow import archives
from mammoflow.base.contracts.index import IMAGES, LESIONS, REPLACED
from mammoflow.base.contracts.stored import STORED
from mammoflow.breasts import filling, replaced

given, params, name = snakemake.input, snakemake.params, snakemake.wildcards.dataset
table = IMAGES.read(given.images)
found = replaced.find(
    table,
    LESIONS.read(given.lesions),
    pd.concat(map(STORED.read, given.stored)),
    archives.archive(params.archive),
    Path(params.root),
    snakemake.threads,
)
REPLACED.write(found, snakemake.output.replaced)

sentence = f"{name}: {len(found)} of {len(table)} images are no longer what was stored"
if "index" in set(found["begins"]):
    sentence += f"; make them again with --forcerun results/index/{name}/images.csv"
elif len(found):
    patients = table.set_index("image_id").loc[found["image_id"], "patient_id"]
    shards = sorted({filling.shard_of(patient, params.shards) for patient in patients})
    stores = " ".join(f"results/images/{name}/shard-{shard}.h5" for shard in shards)
    sentence += f"; make them again with --forcerun {stores}"
print(found.to_string(index=False))
logs.announce(sentence)
