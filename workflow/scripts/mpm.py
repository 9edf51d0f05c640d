"""Compute the window probabilities of some images of a fold with the network of the best run, or of all."""

from mammoflow.base import imports, logs

logs.redirect(snakemake.log[0])
imports.begin("matplotlib", "sklearn")

from mammoflow.base import storage
from mammoflow.base.contracts.index import IMAGES
from mammoflow.base.contracts.splits import SPLITS
from mammoflow.base.contracts.stored import STORED
from mammoflow.base.shards import shard_of
from mammoflow.breasts import image_store
from mammoflow.detection import mapping, mpm
from mammoflow.networks import runtime, trained
from mammoflow.patches import leakage, sliding_windows

imports.end()

given, wildcards, params = snakemake.input, snakemake.wildcards, snakemake.params
runtime.configure(snakemake.threads, training=False)

runs = trained.runs(given.metadata, params.ensemble["runs"], params.folds)
loaded = [trained.load(given.weights[run], given.metadata[run], "float32") for run in runs]
models, (record, *_) = zip(*loaded, strict=True)
way = mapping.Way(
    sliding_windows.Windows(record["window"], params.stride, params.edge),
    record["normalization"],
    params.maps,
    params.precision,
    params.ensemble["mirrored"],
    params.ensemble["magnifications"],
)

splits = SPLITS.read(given.splits)
shards = given.stores or image_store.shards(params.images_store, params.mapped_shards)
store = image_store.open_store(shards)
stored = leakage.stored_images(IMAGES.read(given.images), STORED.read(given.stored))
fold = leakage.fold_of(splits, int(wildcards.fold), stored, origin=given.splits)
parts = {
    mpm.TESTED: sorted(fold.loc[fold["role"] == "test", "image_id"]),
    mpm.LEARNING: mpm.learning(
        fold, params.learning, (params.seed, "mpm", wildcards.dataset, wildcards.fold)
    ),
}
part_of = {image_id: part for part, image_ids in parts.items() for image_id in image_ids}
patients = dict(zip(fold["image_id"], fold["patient_id"], strict=True))
here = [
    image_id for image_id in part_of if shard_of(patients[image_id], params.shards) in params.mapped_shards
]

chosen = []
with storage.create_hdf5(snakemake.output.mpm) as file:
    for image_id, grid in mapping.grids(models, store, here, way, chosen.append):
        mpm.write_grid(file, image_id, grid, part_of[image_id])
    precision = ", ".join(sorted({network.policy for network in chosen}))
    mpm.write_made(file, mpm.Made(runs, params.maps, precision))

model = f"{wildcards.backbone} {wildcards.init}"
tested, learnt_from = (sum(part_of[image_id] == part for image_id in here) for part in mpm.PARTS)
logs.announce(
    f"{wildcards.dataset} fold {wildcards.fold} shard {wildcards.shard} {model}: maps of {tested} test "
    f"images and of {learnt_from} to learn from ({params.maps}), by run {', '.join(map(str, runs))}, "
    f"precision: {precision or 'none, since there are no windows'}"
)
