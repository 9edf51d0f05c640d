"""Divide the stored images of a data set into folds, by patient."""

from mammoflow import logs

logs.redirect(snakemake.log[0])

import pandas as pd

from mammoflow import splits, tables

stored = pd.concat([tables.read(path, "stored") for path in snakemake.input.stored])
images = tables.read(snakemake.input.images, "images")
images = images[images["image_id"].isin(stored.loc[stored["stored"], "image_id"])]
if images.empty:
    raise ValueError(f"{snakemake.wildcards.dataset}: expected at least one usable image, found none stored")
lesions = tables.read(snakemake.input.lesions, "lesions")
lesions = lesions[lesions["image_id"].isin(images["image_id"])]
params = snakemake.params
if params.folds == "official":
    table = splits.official(images, lesions, params.validation_fraction, params.seed)
else:
    table = splits.k_fold(images, lesions, params.folds, params.seed)
tables.write(table, snakemake.output.splits, "splits")
counts = table[table["fold"] == 0].value_counts("role")
logs.announce(
    f"{snakemake.wildcards.dataset}: {table['fold'].nunique()} fold(s); fold 0 has "
    + ", ".join(f"{counts[role]} {role}" for role in splits.ROLES)
)
