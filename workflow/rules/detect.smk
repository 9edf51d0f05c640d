"""Computes mass probability maps of the test images of a fold, boxes at every threshold, and scored candidates.

The images of a fold are divided by shards of the images store, into as many jobs as `detection.shards` says.

Needs: the splits, the images store and the trained runs of the fold; the lesions, to learn scores from.
Makes: results/{mpm,detections,candidates}/{dataset}/{backbone}/{init}/fold-{fold}/shard-{shard}.{h5,parquet}, and
       results/candidates/{dataset}/{backbone}/{init}/fold-{fold}.{csv,json}, scored candidates and their score.
"""


rule mpm:
    input:
        splits="results/splits/{dataset}.csv",
        images="results/index/{dataset}/images.csv",
        stored="results/index/{dataset}/stored.csv",
        stores=NEEDS.mapped_stores_to_fetch,
        weights=NEEDS.runs_of_fold("model.weights.h5"),
        metadata=NEEDS.runs_of_fold("model.json"),
    output:
        mpm="results/mpm/{dataset}/{backbone}/{init}/fold-{fold}/shard-{shard}.h5",
    log:
        "logs/mpm/{dataset}/{backbone}/{init}/fold-{fold}/shard-{shard}.log",
    benchmark:
        "results/benchmarks/mpm/{dataset}/{backbone}/{init}/fold-{fold}/shard-{shard}.tsv"
    conda:
        "../envs/tensorflow.yaml"
    threads: 4
    resources:
        gpu=1,
        mem=growing(16, "GB"),
        runtime=growing(4, "h"),
    params:
        *NEEDS.code("mpm.py"),
        network=NEEDS.network_code,
        stride=NEEDS.stride,
        edge=config["patches"]["edge"],
        precision=config["inference"]["precision"],
        maps=config["inference"]["maps"],
        ensemble=NEEDS.ensemble,
        folds=NEEDS.folds_of_runs,
        learning=NEEDS.learning,
        seed=config["seed"],
        images_store="results/images/{dataset}",
        shards=NEEDS.setting("shards"),
        mapped_shards=NEEDS.mapped_shards,
    script:
        "../scripts/mpm.py"


rule detections:
    input:
        mpm="results/mpm/{dataset}/{backbone}/{init}/fold-{fold}/shard-{shard}.h5",
    output:
        detections="results/detections/{dataset}/{backbone}/{init}/fold-{fold}/shard-{shard}.parquet",
    log:
        "logs/detections/{dataset}/{backbone}/{init}/fold-{fold}/shard-{shard}.log",
    benchmark:
        "results/benchmarks/detections/{dataset}/{backbone}/{init}/fold-{fold}/shard-{shard}.tsv"
    conda:
        "../envs/imaging.yaml"
    threads: 4
    resources:
        mem=growing(16, "GB"),
        runtime=growing(2, "h"),
    params:
        *NEEDS.code("detections.py"),
        levels=config["detection"]["levels"],
    script:
        "../scripts/detections.py"


rule candidates:
    input:
        mpm=NEEDS.map_of_shard,
        weights=NEEDS.weights_at_own_scale,
        metadata=NEEDS.runs_of_fold("model.json"),
        stored="results/index/{dataset}/stored.csv",  # stands for the shards
        stores=NEEDS.mapped_stores_to_fetch,
    output:
        candidates="results/candidates/{dataset}/{backbone}/{init}/fold-{fold}/shard-{shard}.parquet",
    log:
        "logs/candidates/{dataset}/{backbone}/{init}/fold-{fold}/shard-{shard}.log",
    benchmark:
        "results/benchmarks/candidates/{dataset}/{backbone}/{init}/fold-{fold}/shard-{shard}.tsv"
    conda:
        "../envs/tensorflow.yaml"
    threads: 4
    resources:
        mem=growing(8, "GB"),
        runtime=growing(2, "h"),
    params:
        *NEEDS.code("candidates.py"),
        network=NEEDS.network_code,
        candidates=NEEDS.candidate_settings,
        own_scale=NEEDS.own_scale,
        precision=config["inference"]["precision"],
        images_store="results/images/{dataset}",
        mapped_shards=NEEDS.mapped_shards,
    script:
        "../scripts/candidates.py"


rule scores:
    input:
        candidates=NEEDS.described,
        scores=NEEDS.given_scores,
        mpm=NEEDS.map_with_given_scores,
        lesions="results/index/{dataset}/lesions.csv",
    output:
        candidates="results/candidates/{dataset}/{backbone}/{init}/fold-{fold}.csv",
        score="results/candidates/{dataset}/{backbone}/{init}/fold-{fold}.json",
    log:
        "logs/scores/{dataset}/{backbone}/{init}/fold-{fold}.log",
    benchmark:
        "results/benchmarks/scores/{dataset}/{backbone}/{init}/fold-{fold}.tsv"
    conda:
        "../envs/imaging.yaml"
    resources:
        mem=growing(8, "GB"),
        runtime=growing(1, "h"),
    params:
        *NEEDS.code("scores.py"),
        candidates=NEEDS.candidate_settings,
        scoring=NEEDS.scoring,
    script:
        "../scripts/scores.py"
