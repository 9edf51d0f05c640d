"""Who trains, validates and tests, fold by fold.

Needs: the index of a data set and the tables of what was stored.
Makes: results/splits/{dataset}.csv, which a user may replace with their own.
"""


rule splits:
    input:
        images="results/index/{dataset}/images.csv",
        lesions="results/index/{dataset}/lesions.csv",
        stored=stored_tables,
        code=modules("splits.py"),
    output:
        splits="results/splits/{dataset}.csv",
    log:
        "logs/splits/{dataset}.log",
    benchmark:
        "results/benchmarks/splits/{dataset}.tsv"
    conda:
        "../../envs/imaging.yaml"
    params:
        folds=dataset_setting("folds"),
        validation_fraction=dataset_setting("validation_fraction"),
        seed=config["seed"],
    script:
        "../scripts/splits.py"
