"""Draw the patches of every fold of a data set and write its patch bank."""

from mammoflow.base import logs

logs.redirect(snakemake.log[0])

from mammoflow.base.contracts.index import IMAGES
from mammoflow.base.contracts.splits import SPLITS
from mammoflow.base.contracts.stored import STORED
from mammoflow.breasts import image_store
from mammoflow.patches import bank, cutting, leakage, local_contrast, sliding_windows

wildcards, params = snakemake.wildcards, snakemake.params

splits, store = SPLITS.read(snakemake.input.splits), image_store.open_store(snakemake.input.stores)
index = IMAGES.read(snakemake.input.images)
stored = leakage.stored_images(index, STORED.read(snakemake.input.stored))
folds = leakage.folds_of(splits, stored, origin=snakemake.input.splits)
windows = sliding_windows.Windows(**params.patches)
counts = cutting.write(
    snakemake.output.bank,
    {
        number: {part: sorted(fold.loc[fold["role"] == part, "image_id"]) for part in bank.PARTS}
        for number, fold in folds.items()
    },
    image_store.open_regions(snakemake.input.stores),
    local_contrast.of(store, wildcards.contrast, windows.window),
    windows,
    params.negatives,
    (params.seed, "bank", wildcards.dataset),
    snakemake.threads,
)

for fold, parts in counts.items():
    for part, count in parts.items():
        if count.short:
            print(
                f"fold {fold} {part}: the images have {count.short} fewer negative windows than the policy "
                "asks for"
            )
        if count.unfit:
            print(f"fold {fold} {part}: {len(count.unfit)} images have no windows to use{count.why(windows)}")
    numbers = ", ".join(f"{part} +{count.positives} −{count.negatives}" for part, count in parts.items())
    logs.announce(f"{wildcards.dataset} fold {fold}: patches {numbers}")
