"""Stores the labelled patches of each fold in a bank.

Needs: the splits and the images store of a data set.
Makes: results/patches/{dataset}/fold-{fold}.h5 with the parts train, validation and test.
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
        negatives=NEEDS.setting("negatives"),
        seed=config["seed"],
    script:
        "../scripts/bank.py"
