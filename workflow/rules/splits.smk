"""Who trains, validates and tests, fold by fold.

Needs: the index of a data set and the tables of what was stored; a user's own table where the config names one.
Makes: results/splits/{dataset}.csv.
"""


rule splits:
    input:
        images="results/index/{dataset}/images.csv",
        lesions="results/index/{dataset}/lesions.csv",
        stored=stored_tables,
        own=local(STUDY.own_splits),
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
        official=STUDY.is_official,
        folds=STUDY.folds_of,
        validation_fraction=dataset_setting("validation_fraction"),
        seed=config["seed"],
    script:
        "../scripts/splits.py"
