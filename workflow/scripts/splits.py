"""Divide the stored images of a data set into folds, by patient."""

from mammoflow.base import logs

logs.redirect(snakemake.log[0])

import pandas as pd

from mammoflow.base import user_tables
from mammoflow.base.contracts.index import IMAGES, LESIONS
from mammoflow.base.contracts.splits import SPLITS
from mammoflow.base.contracts.stored import STORED
from mammoflow.patches import leakage, splits

params, name = snakemake.params, snakemake.wildcards.dataset
images = IMAGES.read(snakemake.input.images)
outcomes = pd.concat(map(STORED.read, snakemake.input.shards))
STORED.write(outcomes, snakemake.output.stored)
stored = leakage.stored_images(images, outcomes)
if stored.empty:
    raise ValueError(f"{name}: expected at least one usable image, found none stored")
lesions = LESIONS.read(snakemake.input.lesions)
lesions = lesions[lesions["image_id"].isin(stored["image_id"])]
asked, why = set(stored["image_id"]), "its patient, or its film, is tested"
if snakemake.input.own:
    (path,) = snakemake.input.own
    own = user_tables.read_as(SPLITS, path)
    table = splits.given(own, images, stored, params.folds, origin=path)
    asked, why = asked | set(own["image_id"]), "the table does not list it, or it could not be stored"
elif params.official:
    table = splits.official(stored, lesions, params.validation_fraction, params.seed)
else:
    table = splits.k_fold(stored, lesions, len(params.folds), params.seed)
if params.negatives == "normal-images":
    splits.require_normal_images(table, lesions, name)
SPLITS.write(table, snakemake.output.splits)

left_out = sorted(asked - set(table["image_id"]))
for image_id in left_out:
    print(f"image '{image_id}' is in no fold: {why}")
counts = table[table["fold"] == 0].value_counts("role")
logs.announce(
    f"{name}: {table['fold'].nunique()} fold(s); fold 0 has "
    + ", ".join(f"{counts[role]} {role}" for role in splits.ROLES)
    + f"; {len(left_out)} images are in no fold"
)
