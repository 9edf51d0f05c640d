"""Window probabilities of a fold's test images, by the best of its runs."""

from mammoflow import logs

logs.redirect(snakemake.log[0])

from itertools import chain

import numpy as np

from mammoflow import classification, images, mpm, patches, runtime, storage, tables, training

wildcards, params = snakemake.wildcards, snakemake.params
runtime.configure(snakemake.threads)

best = training.best_run(snakemake.input.metadata)
model, record = training.load(snakemake.input.weights[best], snakemake.input.metadata[best])
windows = patches.Windows(record["window"], params.stride, params.edge)

splits = tables.read(snakemake.input.splits, "splits")
tested = splits[(splits["fold"] == int(wildcards.fold)) & (splits["role"] == "test")]
store = images.open_store(snakemake.input.stores)
image_ids = sorted(tested["image_id"])

sweeps = chain.from_iterable(classification.sweep(store[image_id], windows) for image_id in image_ids)
probabilities = classification.probabilities(model, sweeps, record["normalization"])

rest = probabilities
with storage.create_hdf5(snakemake.output.mpm) as file:
    for image_id in image_ids:
        image = store[image_id]
        top, left = patches.grid(image.breast.shape, windows)
        inside = patches.in_breast(image.breast, windows)
        values = np.zeros(inside.shape, np.float32)
        values[inside], rest = rest[: inside.sum()], rest[inside.sum() :]
        centres = (top + windows.half, left + windows.half)
        mpm.write_grid(file, image_id, mpm.Grid(values, *centres, image.breast, image.geometry))

logs.announce(
    f"{wildcards.dataset} fold {wildcards.fold} {wildcards.backbone} {wildcards.init}: "
    f"{len(probabilities)} windows of {len(image_ids)} test images by run {best}"
)
