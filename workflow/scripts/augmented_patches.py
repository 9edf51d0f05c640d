"""Draw a contact sheet of patches of a data set as augmented in the first epochs of the training."""

from mammoflow.base import imports, logs

logs.redirect(snakemake.log[0])
imports.begin("sklearn")

from mammoflow.base import seeds
from mammoflow.networks import runtime
from mammoflow.patches import bank
from mammoflow.report.figures import augmented_patches, style
from mammoflow.training import augmentation

imports.end()

# Number of patches of each class, and of epochs.
EACH, EPOCHS = 3, 6

params, output, dataset = snakemake.params, snakemake.output, snakemake.wildcards.dataset
runtime.configure(snakemake.threads, gpus=0)
setting = params.augmentation
augment = augmentation.Augmentation(setting["flip"], setting["rotation_degrees"], tuple(setting["scale"]))
seed = seeds.integer(params.seed, "augmented-patches", dataset)

with bank.open_bank(snakemake.input.bank, params.folds[0]) as patches:
    rows = augmented_patches.spread(patches.train.labels, EACH)
    labels, stored = patches.train.labels[rows], patches.train.read(rows).patches
views = [augmentation.draw(augment, len(rows), seed, epoch) for epoch in range(EPOCHS)]
shown = [augmentation.apply(stored, drawn) for drawn in views]
title = f"{params.label}: training patches as stored, and as drawn"
style.save(augmented_patches.draw(stored, labels, shown, views, title), output.png, output.svg)
logs.announce(f"{output.png}: {len(rows)} patches in {EPOCHS} epochs")
