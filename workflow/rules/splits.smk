"""Divides the images of a data set into training, validation and test, for each fold.

Needs: the index of a data set and the stored images with their tables; the user's splits table if the config names one.
Makes: results/splits/{dataset}.csv, and results/index/{dataset}/stored.csv, the tables of all shards in one: later
       jobs name it instead of each shard and its table, because plans would otherwise grow with jobs times shards.
"""


rule splits:
    input:
        images="results/index/{dataset}/images.csv",
        lesions="results/index/{dataset}/lesions.csv",
        shards=NEEDS.stored,
        stores=ancient(NEEDS.stores_to_complete),  # their tables change when they do
        own=local(NEEDS.own_splits),
    output:
        splits="results/splits/{dataset}.csv",
        stored="results/index/{dataset}/stored.csv",
    log:
        "logs/splits/{dataset}.log",
    benchmark:
        "results/benchmarks/splits/{dataset}.tsv"
    conda:
        "../envs/imaging.yaml"
    params:
        *NEEDS.code("splits.py"),
        official=NEEDS.is_official,
        folds=NEEDS.folds,
        negatives=NEEDS.setting("negatives"),
        validation_fraction=NEEDS.setting("validation_fraction"),
        seed=config["seed"],
    script:
        "../scripts/splits.py"
