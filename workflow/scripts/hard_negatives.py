"""Find the windows of training and validation images that a trained run takes for masses, and cut them."""

from mammoflow.base import imports, logs

logs.redirect(snakemake.log[0])
imports.begin("matplotlib", "sklearn")

from mammoflow.base.contracts.index import IMAGES, LESIONS
from mammoflow.base.contracts.splits import SPLITS
from mammoflow.base.contracts.stored import STORED
from mammoflow.breasts import image_store
from mammoflow.detection import classification, dense, hard_negatives, mpm
from mammoflow.networks import runtime, trained
from mammoflow.patches import bank, cutting, leakage, local_contrast, sliding_windows

imports.end()

given, wildcards, params = snakemake.input, snakemake.wildcards, snakemake.params
runtime.configure(snakemake.threads, training=False)

model, record = trained.load(given.weights[0], given.metadata[0], "float32")
windows = sliding_windows.Windows(record["window"], params.stride, params.edge)
settings = hard_negatives.Settings(params.hard_negatives["per_image"], params.hard_negatives["probability"])

splits, lesions = SPLITS.read(given.splits), LESIONS.read(given.lesions)
stored = leakage.stored_images(IMAGES.read(given.images), STORED.read(given.stored))
fold = leakage.fold_of(splits, int(wildcards.fold), stored, origin=given.splits)
shards = given.stores or image_store.shards(params.images_store, range(params.shards))
store = local_contrast.of(image_store.open_store(shards), record["normalization"], record["window"])

searched, found = {}, {}
for part in bank.FITTED:
    searched[part] = mpm.learning(
        fold,
        {"parts": [part], "images": params.hard_negatives["images"]},
        (params.seed, "hard negatives", wildcards.dataset, wildcards.fold, part),
    )
    way = {"windows": classification, "dense": dense}[params.maps]
    grids = way.grids([model], store, searched[part], windows, record["normalization"], params.precision)
    found[part] = [
        hard_negatives.of_image(image_id, grid, lesions, windows.window, settings) for image_id, grid in grids
    ]
cutting.write_negatives(snakemake.output.negatives, found, store, windows)

parts = ", ".join(
    f"{part} {sum(len(each.begin) for each in found[part])} from {len(searched[part])} images"
    for part in bank.FITTED
)
logs.announce(
    f"{wildcards.dataset} fold {wildcards.fold} {wildcards.backbone} {wildcards.init} run {wildcards.run}: "
    f"hard negatives {parts}"
)
