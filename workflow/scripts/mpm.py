"""Compute the window probabilities of images of a fold with the network of the best run, or of all runs."""

from mammoflow.base import imports, logs

logs.redirect(snakemake.log[0])
imports.skip("matplotlib", "sklearn")

from mammoflow.base import storage
from mammoflow.base.contracts.index import IMAGES
from mammoflow.base.contracts.splits import SPLITS
from mammoflow.base.contracts.stored import STORED
from mammoflow.breasts import image_store
from mammoflow.detection import mapping, mpm
from mammoflow.networks import runtime, trained
from mammoflow.patches import leakage, sliding_windows

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

splits, store = SPLITS.read(given.splits), image_store.open_store(given.stores)
stored = leakage.stored_images(IMAGES.read(given.images), STORED.read(given.stored))
fold = leakage.fold_of(splits, int(wildcards.fold), stored, origin=given.splits)
parts = {
    mpm.TESTED: sorted(fold.loc[fold["role"] == "test", "image_id"]),
    mpm.LEARNING: mpm.learning(
        fold, params.learning, (params.seed, "mpm", wildcards.dataset, wildcards.fold)
    ),
}
part_of = {image_id: part for part, image_ids in parts.items() for image_id in image_ids}

chosen = []
with storage.create_hdf5(snakemake.output.mpm) as file:
    for image_id, grid in mapping.grids(models, store, part_of, way, chosen.append):
        mpm.write_grid(file, image_id, grid, part_of[image_id])
    precision = (
        ", ".join(sorted({network.policy for network in chosen})) or "none, since there are no windows"
    )
    file.attrs.update(precision=precision, maps=params.maps, runs=runs)

logs.announce(
    f"{wildcards.dataset} fold {wildcards.fold} {wildcards.backbone} {wildcards.init}: maps of "
    f"{len(parts[mpm.TESTED])} test images and of {len(parts[mpm.LEARNING])} to learn from ({params.maps}), "
    f"by run {', '.join(map(str, runs))}, precision: {precision}"
)
