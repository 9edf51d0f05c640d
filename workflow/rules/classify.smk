"""Computes the mass probabilities of the test patches of a fold.

Needs: the bank of the fold and a trained run.
Makes: results/classification/{dataset}/{backbone}/{init}/fold-{fold}/run-{run}.csv.
"""


rule classify:
    input:
        bank=NEEDS.bank,
        weights="results/models/{dataset}/{backbone}/{init}/fold-{fold}/run-{run}/model.weights.h5",
        metadata="results/models/{dataset}/{backbone}/{init}/fold-{fold}/run-{run}/model.json",
    output:
        classification="results/classification/{dataset}/{backbone}/{init}/fold-{fold}/run-{run}.csv",
    log:
        "logs/classify/{dataset}/{backbone}/{init}/fold-{fold}/run-{run}.log",
    benchmark:
        "results/benchmarks/classify/{dataset}/{backbone}/{init}/fold-{fold}/run-{run}.tsv"
    conda:
        "../envs/tensorflow.yaml"
    threads: 4
    resources:
        gpu=1,
        mem=growing(16, "GB"),
        runtime=growing(1, "h"),
    params:
        *NEEDS.code("classify.py"),
        network=NEEDS.network_code,
        precision=config["inference"]["precision"],
    script:
        "../scripts/classify.py"
