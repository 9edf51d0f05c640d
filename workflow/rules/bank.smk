"""Stores the labelled patches of each fold in a bank.

Needs: the splits and the images store of a data set.
Makes: results/patches/{dataset}/fold-{fold}.h5 with the parts train, validation and test; for models with the
       normalisation 'local', results/patches/{dataset}/local/fold-{fold}.h5 with the same windows of normalised images.
"""


rule bank:
    input:
        splits="results/splits/{dataset}.csv",
        images="results/index/{dataset}/images.csv",
        stored="results/index/{dataset}/stored.csv",
        stores=NEEDS.stores,
    output:
        bank="results/patches/{dataset}/fold-{fold}.h5",
    log:
        "logs/bank/{dataset}/fold-{fold}.log",
    benchmark:
        "results/benchmarks/bank/{dataset}/fold-{fold}.tsv"
    conda:
        "../envs/imaging.yaml"
    threads: 2
    resources:
        mem=growing(8, "GB"),
        runtime=growing(2, "h"),
    params:
        *NEEDS.code("bank.py"),
        patches=config["patches"],
        normalization="",
        negatives=NEEDS.setting("negatives"),
        seed=config["seed"],
    script:
        "../scripts/bank.py"


rule local_bank:
    input:
        splits="results/splits/{dataset}.csv",
        images="results/index/{dataset}/images.csv",
        stored="results/index/{dataset}/stored.csv",
        stores=NEEDS.stores,
    output:
        bank="results/patches/{dataset}/local/fold-{fold}.h5",
    log:
        "logs/local_bank/{dataset}/fold-{fold}.log",
    benchmark:
        "results/benchmarks/local_bank/{dataset}/fold-{fold}.tsv"
    conda:
        "../envs/imaging.yaml"
    threads: 2
    resources:
        mem=growing(8, "GB"),
        runtime=growing(2, "h"),
    params:
        *NEEDS.code("bank.py"),
        patches=config["patches"],
        normalization="local",
        negatives=NEEDS.setting("negatives"),
        seed=config["seed"],
    script:
        "../scripts/bank.py"
