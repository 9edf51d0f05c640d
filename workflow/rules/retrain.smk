"""Trains a run a second time, with the windows that it took for masses: hard negatives.

Only for models with `detection.hard_negatives`; what detects is then this second training of every run.
Needs: a trained run, the splits, the index and the images store; the bank.
Makes: results/hard-negatives/{dataset}/{backbone}/{init}/fold-{fold}/run-{run}.h5 and
       results/retrained/{dataset}/{backbone}/{init}/fold-{fold}/run-{run}/{model.weights.h5,model.json,history.csv}.
Also writes, but not as outputs: results/resume/retrained/... and logs/tensorboard/retrained/..., as rule train does.
"""


rule hard_negatives:
    input:
        splits="results/splits/{dataset}.csv",
        images="results/index/{dataset}/images.csv",
        lesions="results/index/{dataset}/lesions.csv",
        stored="results/index/{dataset}/stored.csv",
        stores=NEEDS.stores_to_fetch,
        weights=NEEDS.first_training("model.weights.h5"),
        metadata=NEEDS.first_training("model.json"),
    output:
        negatives="results/hard-negatives/{dataset}/{backbone}/{init}/fold-{fold}/run-{run}.h5",
    log:
        "logs/hard_negatives/{dataset}/{backbone}/{init}/fold-{fold}/run-{run}.log",
    benchmark:
        "results/benchmarks/hard_negatives/{dataset}/{backbone}/{init}/fold-{fold}/run-{run}.tsv"
    conda:
        "../envs/tensorflow.yaml"
    threads: 4
    resources:
        gpu=1,
        mem=growing(16, "GB"),
        runtime=growing(4, "h"),
    params:
        *NEEDS.code("hard_negatives.py"),
        network=NEEDS.network_code,
        hard_negatives=NEEDS.hard_negatives,
        stride=NEEDS.stride,
        edge=config["patches"]["edge"],
        precision=config["inference"]["precision"],
        maps=config["inference"]["maps"],
        seed=config["seed"],
        images_store="results/images/{dataset}",
        shards=NEEDS.setting("shards"),
    script:
        "../scripts/hard_negatives.py"


rule retrain:
    input:
        banks=NEEDS.banks,
        hard_negatives="results/hard-negatives/{dataset}/{backbone}/{init}/fold-{fold}/run-{run}.h5",
        initial=NEEDS.first_training("model.weights.h5"),
        metadata=NEEDS.first_training("model.json"),
        splits=NEEDS.of_each(paths.splits),
        lesions=NEEDS.of_each(partial(paths.index, table="lesions")),
        stored=NEEDS.of_each(partial(paths.index, table="stored")),
    output:
        weights="results/retrained/{dataset}/{backbone}/{init}/fold-{fold}/run-{run}/model.weights.h5",
        metadata="results/retrained/{dataset}/{backbone}/{init}/fold-{fold}/run-{run}/model.json",
        history="results/retrained/{dataset}/{backbone}/{init}/fold-{fold}/run-{run}/history.csv",
    log:
        "logs/retrain/{dataset}/{backbone}/{init}/fold-{fold}/run-{run}.log",
    benchmark:
        "results/benchmarks/retrain/{dataset}/{backbone}/{init}/fold-{fold}/run-{run}.tsv"
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
        state="results/resume/retrained/{dataset}/{backbone}/{init}/fold-{fold}/run-{run}.state",
        events="logs/tensorboard/retrained/{dataset}/{backbone}/{init}/fold-{fold}/run-{run}",
    script:
        "../scripts/train.py"
