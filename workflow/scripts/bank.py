"""Draw the patches of a fold and write its bank."""

from mammoflow import logs

logs.redirect(snakemake.log[0])

from mammoflow import bank, images, patches, tables

wildcards, params = snakemake.wildcards, snakemake.params

splits = tables.read(snakemake.input.splits, "splits")
fold = splits[splits["fold"] == int(wildcards.fold)]
counts = bank.write(
    snakemake.output.bank,
    {part: sorted(fold.loc[fold["role"] == part, "image_id"]) for part in bank.PARTS},
    images.open_store(snakemake.input.stores),
    patches.Windows(**params.patches),
    params.negatives,
    (params.seed, "bank", wildcards.dataset, wildcards.fold),
)

for part, count in counts.items():
    if count.short:
        print(f"{part}: the images have {count.short} negative windows fewer than the policy asks for")
parts = ", ".join(f"{part} +{count.positives} −{count.negatives}" for part, count in counts.items())
logs.announce(f"{wildcards.dataset} fold {wildcards.fold}: patches {parts}")
