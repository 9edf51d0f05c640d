"""Trains one run of a network from one initialisation on one fold, of one data set or of several joined by &.

Needs: the banks; base weights, or the runs of the previous step of the chain.
Makes: results/models/{dataset}/{backbone}/{init}/fold-{fold}/run-{run}/{model.weights.h5,model.json,history.csv}.
Also writes, but not as outputs: results/resume/..., the state after the last complete epoch, from which an interrupted
run resumes, and logs/tensorboard/..., for `tensorboard --logdir logs/tensorboard`.
"""


rule train:
    input:
        banks=NEEDS.banks,
        initial=NEEDS.initial_weights,
        metadata=NEEDS.initial_metadata,
        splits=NEEDS.of_each(paths.splits),
        lesions=NEEDS.of_each(partial(paths.index, table="lesions")),
        stored=NEEDS.of_each(partial(paths.index, table="stored")),
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
        patches=NEEDS.patches_of_model,
        normalization=NEEDS.normalization,
        folds=NEEDS.folds_of_banks,
        seed=config["seed"],
        state="results/resume/{dataset}/{backbone}/{init}/fold-{fold}/run-{run}.state",
        events="logs/tensorboard/{dataset}/{backbone}/{init}/fold-{fold}/run-{run}",
    script:
        "../scripts/train.py"
