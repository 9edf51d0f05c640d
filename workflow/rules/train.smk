"""Trains one run of a network from one initialisation on one fold.

Needs: the bank of the fold; base weights, or the runs of the previous step of the chain.
Makes: results/models/{dataset}/{backbone}/{init}/fold-{fold}/run-{run}/{model.weights.h5,model.json,history.csv}.
Also writes, but not as outputs: results/resume/..., the state after the last complete epoch, from which an interrupted
run resumes, and logs/tensorboard/..., for `tensorboard --logdir logs/tensorboard`.
"""


rule train:
    input:
        bank=NEEDS.bank,
        initial=NEEDS.initial_weights,
        metadata=NEEDS.initial_metadata,
        splits="results/splits/{dataset}.csv",
        lesions="results/index/{dataset}/lesions.csv",
        stored="results/index/{dataset}/stored.csv",
    output:
        weights="results/models/{dataset}/{backbone}/{init}/fold-{fold}/run-{run}/model.weights.h5",
        metadata="results/models/{dataset}/{backbone}/{init}/fold-{fold}/run-{run}/model.json",
        history="results/models/{dataset}/{backbone}/{init}/fold-{fold}/run-{run}/history.csv",
    log:
        "logs/train/{dataset}/{backbone}/{init}/fold-{fold}/run-{run}.log",
    benchmark:
        "results/benchmarks/train/{dataset}/{backbone}/{init}/fold-{fold}/run-{run}.tsv"
    conda:
        "../envs/tensorflow.yaml"
    threads: 4
    resources:
        gpu=NEEDS.gpus,
        mem=growing(16, "GB"),
        runtime=growing(24, "h"),
    params:
        *NEEDS.code("train.py"),
        network=NEEDS.network_code,
        training=NEEDS.training_of_model,
        patches=config["patches"],
        normalization=NEEDS.normalization,
        seed=config["seed"],
        state="results/resume/{dataset}/{backbone}/{init}/fold-{fold}/run-{run}.state",
        events="logs/tensorboard/{dataset}/{backbone}/{init}/fold-{fold}/run-{run}",
    script:
        "../scripts/train.py"
