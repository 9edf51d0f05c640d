"""Stores the labelled patches of all folds in a bank.

Needs: the splits and the images store of a data set.
Makes: results/patches/{dataset}/stored.h5 with the parts train, validation and test of every fold; for models with the
       normalisation 'local', results/patches/{dataset}/local.h5 with the same windows of normalised images. The name ends with -fraction where the label of a patch depends on how much of it is mass.
"""


rule bank:
    input:
        splits="results/splits/{dataset}.csv",
        images="results/index/{dataset}/images.csv",
        stored="results/index/{dataset}/stored.csv",
        stores=ancient(NEEDS.stores),  # their tables change when they do
    output:
        bank="results/patches/{dataset}/{contrast}{label}.h5",
    log:
        "logs/bank/{dataset}/{contrast}{label}.log",
    benchmark:
        "results/benchmarks/bank/{dataset}/{contrast}{label}.tsv"
    wildcard_constraints:
        contrast="stored|local",
        label="|-fraction",
    conda:
        "../envs/imaging.yaml"
    threads: 4
    resources:
        mem=growing(8, "GB"),
        runtime=growing(2, "h"),
    params:
        *NEEDS.code("bank.py"),
        patches=NEEDS.patches,
        negatives=NEEDS.setting("negatives"),
        seed=config["seed"],
    script:
        "../scripts/bank.py"
