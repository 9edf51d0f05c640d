"""One run of one network from one initialisation on one fold.

Needs: the bank of the fold; base weights, or the runs of the chain so far.
Makes: results/models/{dataset}/{backbone}/{init}/fold-{fold}/run-{run}/{model.weights.h5,model.json,history.csv}.
"""


rule train:
    input:
        bank="results/patches/{dataset}/fold-{fold}.h5",
        initial=initial_weights,
        metadata=initial_metadata,
        code=modules("train.py"),
    output:
        weights="results/models/{dataset}/{backbone}/{init}/fold-{fold}/run-{run}/model.weights.h5",
        metadata="results/models/{dataset}/{backbone}/{init}/fold-{fold}/run-{run}/model.json",
        history="results/models/{dataset}/{backbone}/{init}/fold-{fold}/run-{run}/history.csv",
    log:
        "logs/train/{dataset}/{backbone}/{init}/fold-{fold}/run-{run}.log",
    benchmark:
        "results/benchmarks/train/{dataset}/{backbone}/{init}/fold-{fold}/run-{run}.tsv"
    conda:
        "../../envs/tensorflow.yaml"
    threads: 4
    resources:
        gpu=1,
        mem=growing(16, "GB"),
        runtime=growing(24, "h"),
    params:
        training=STUDY.training,
        normalization=config["normalization"],
        seed=config["seed"],
    script:
        "../scripts/train.py"
