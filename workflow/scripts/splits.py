"""Divide the stored images of a data set into folds, by patient."""

from mammoflow import logs

logs.redirect(snakemake.log[0])

import pandas as pd

from mammoflow import splits
from mammoflow.contracts.index import IMAGES, LESIONS
from mammoflow.contracts.splits import SPLITS
from mammoflow.contracts.stored import STORED

stored = pd.concat([STORED.read(path) for path in snakemake.input.stored])
images = IMAGES.read(snakemake.input.images)
images = images[images["image_id"].isin(stored.loc[stored["stored"], "image_id"])]
if images.empty:
    raise ValueError(f"{snakemake.wildcards.dataset}: expected at least one usable image, found none stored")
lesions = LESIONS.read(snakemake.input.lesions)
lesions = lesions[lesions["image_id"].isin(images["image_id"])]
params = snakemake.params
if params.folds == "official":
    table = splits.official(images, lesions, params.validation_fraction, params.seed)
else:
    table = splits.k_fold(images, lesions, params.folds, params.seed)
SPLITS.write(table, snakemake.output.splits)
counts = table[table["fold"] == 0].value_counts("role")
logs.announce(
    f"{snakemake.wildcards.dataset}: {table['fold'].nunique()} fold(s); fold 0 has "
    + ", ".join(f"{counts[role]} {role}" for role in splits.ROLES)
)
