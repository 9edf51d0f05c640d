"""Packs a model of experiment 3 into one file, with which `mammoflow detect` works without the study.

Needs: the trained runs, maps, scores and FROC points of every fold; the splits, the index and the images store.
Makes: results/bundles/{dataset}/{backbone}/{init}.mammoflow.
"""


rule bundle:
    input:
        splits="results/splits/{dataset}.csv",
        images="results/index/{dataset}/images.csv",
        lesions=f"results/index/{{dataset}}/{STUDY.evaluated_as}.csv",
        stored="results/index/{dataset}/stored.csv",  # stands for the shards
        stores=NEEDS.stores_to_fetch,
        weights=NEEDS.runs_that_detect("model.weights.h5"),
        metadata=NEEDS.runs_that_detect("model.json"),
        mpm=NEEDS.maps,
        scores=NEEDS.scores,
        points="results/froc/{dataset}/{backbone}/{init}/points.csv",
    output:
        model="results/bundles/{dataset}/{backbone}/{init}.mammoflow",
    log:
        "logs/bundle/{dataset}/{backbone}/{init}.log",
    benchmark:
        "results/benchmarks/bundle/{dataset}/{backbone}/{init}.tsv"
    conda:
        "../envs/tensorflow.yaml"
    threads: 4
    resources:
        gpu=1,
        mem=growing(16, "GB"),
        runtime=growing(4, "h"),
    params:
        *NEEDS.code("bundle.py"),
        network=NEEDS.network_code,
        fold=config["bundles"]["fold"],
        images=config["bundles"]["images"],
        seed=config["seed"],
        runs=NEEDS.runs,
        training=NEEDS.training_data,
        acquisition=NEEDS.setting("acquisition"),
        resolution=NEEDS.setting("resolution"),
        stride=NEEDS.stride,
        edge=config["patches"]["edge"],
        ensemble=NEEDS.ensemble,
        levels=config["detection"]["levels"],
        candidates=NEEDS.candidate_settings,
        own_scale=NEEDS.own_scale,
        learnt_from=NEEDS.learnt_from,
        evaluation=NEEDS.evaluation,
        images_store="results/images/{dataset}",
        shards=NEEDS.setting("shards"),
    script:
        "../scripts/bundle.py"
