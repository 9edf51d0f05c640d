"""Compute the window probabilities of the test images of a fold with the network of the best run."""

from mammoflow.base import logs

logs.redirect(snakemake.log[0])

from mammoflow.base import storage
from mammoflow.base.contracts.index import IMAGES
from mammoflow.base.contracts.splits import SPLITS
from mammoflow.base.contracts.stored import STORED
from mammoflow.breasts import image_store
from mammoflow.detection import classification, dense, mpm
from mammoflow.networks import runtime, trained
from mammoflow.patches import leakage, local_contrast, sliding_windows

wildcards, params = snakemake.wildcards, snakemake.params
runtime.configure(snakemake.threads, training=False)

best = trained.best_run(snakemake.input.metadata)
model, record = trained.load(snakemake.input.weights[best], snakemake.input.metadata[best], "float32")
windows = sliding_windows.Windows(record["window"], params.stride, params.edge)

splits, store = SPLITS.read(snakemake.input.splits), image_store.open_store(snakemake.input.stores)
index = IMAGES.read(snakemake.input.images)
stored = leakage.stored_images(index, STORED.read(snakemake.input.stored))
fold = leakage.fold_of(splits, int(wildcards.fold), stored, origin=snakemake.input.splits)
image_ids = sorted(fold.loc[fold["role"] == "test", "image_id"])

chosen = []
with storage.create_hdf5(snakemake.output.mpm) as file:
    way = {"windows": classification, "dense": dense}[params.maps]
    grids = way.grids(
        model,
        local_contrast.of(store, record["normalization"], record["window"]),
        image_ids,
        windows,
        record["normalization"],
        params.precision,
        tell=chosen.append,
    )
    for image_id, grid in grids:
        mpm.write_grid(file, image_id, grid)
    precision = chosen[0].policy if chosen else "none, since there are no windows"
    file.attrs.update(precision=precision, maps=params.maps, run=best)

logs.announce(
    f"{wildcards.dataset} fold {wildcards.fold} {wildcards.backbone} {wildcards.init}: "
    f"maps of {len(image_ids)} test images ({params.maps}) by run {best}, precision: {precision}"
)
