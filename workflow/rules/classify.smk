"""Computes the mass probabilities of the test patches, by every run of a model.

One job classifies for all folds and runs of a model: to start TensorFlow takes longer than most of them.

Needs: the bank and the trained runs of the model.
Makes: results/classification/{dataset}/{backbone}/{init}.csv.
"""


rule classify:
    input:
        bank=NEEDS.bank,
        weights=NEEDS.runs_of_model("model.weights.h5"),
        metadata=NEEDS.runs_of_model("model.json"),
    output:
        classification="results/classification/{dataset}/{backbone}/{init}.csv",
    log:
        "logs/classify/{dataset}/{backbone}/{init}.log",
    benchmark:
        "results/benchmarks/classify/{dataset}/{backbone}/{init}.tsv"
    conda:
        "../envs/tensorflow.yaml"
    threads: 4
    resources:
        gpu=1,
        mem=growing(16, "GB"),
        runtime=growing(4, "h"),
    params:
        *NEEDS.code("classify.py"),
        network=NEEDS.network_code,
        precision=config["inference"]["precision"],
        runs=NEEDS.runs,
    script:
        "../scripts/classify.py"
