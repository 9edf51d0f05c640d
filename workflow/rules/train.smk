"""One run of one network from one initialisation on one fold.

Needs: the bank of the fold; base weights, or the runs of the chain so far.
Makes: results/models/{dataset}/{backbone}/{init}/fold-{fold}/run-{run}/{model.weights.h5,model.json,history.csv}.
Beside: results/resume/... keeps the last whole epoch while it runs, which an interrupted run goes on from, and
logs/tensorboard/... holds what `tensorboard --logdir logs/tensorboard` shows. Neither is an output.
"""


rule train:
    input:
        bank="results/patches/{dataset}/fold-{fold}.h5",
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
