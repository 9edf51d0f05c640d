"""Makes the pages on which every test image of a model is reviewed in a browser.

The pictures of a data set are shared by the pages of its models. The names of the images on the pages, in
results/cases, lie outside the folder that is passed on.

Needs: the index, the splits, the images store, and the maps, boxes and FROC points of a model.
Makes: results/cases/{dataset}.csv, results/review/{dataset}/shard-{shard}/{cases.js,images.js,thumbnails.js} and
       results/review/{dataset}/{backbone}/{init}/{index.html,model.js,maps.js}.
"""


rule cases:
    input:
        splits="results/splits/{dataset}.csv",
        images="results/index/{dataset}/images.csv",
    output:
        cases="results/cases/{dataset}.csv",
    log:
        "logs/cases/{dataset}.log",
    benchmark:
        "results/benchmarks/cases/{dataset}.tsv"
    conda:
        "../envs/imaging.yaml"
    params:
        *NEEDS.code("cases.py"),
    script:
        "../scripts/cases.py"


rule review_images:
    input:
        cases="results/cases/{dataset}.csv",
        images="results/index/{dataset}/images.csv",
        lesions=f"results/index/{{dataset}}/{STUDY.evaluated_as}.csv",
        store="results/images/{dataset}/shard-{shard}.h5",
    output:
        cases="results/review/{dataset}/shard-{shard}/cases.js",
        images="results/review/{dataset}/shard-{shard}/images.js",
        thumbnails="results/review/{dataset}/shard-{shard}/thumbnails.js",
    log:
        "logs/review_images/{dataset}/shard-{shard}.log",
    benchmark:
        "results/benchmarks/review_images/{dataset}/shard-{shard}.tsv"
    conda:
        "../envs/imaging.yaml"
    resources:
        mem=growing(4, "GB"),
        runtime=growing(30, "m"),
    params:
        *NEEDS.code("review_images.py"),
        edges=config["detection"]["evaluation"]["size_strata_cm2"],
    script:
        "../scripts/review_images.py"


rule review:
    input:
        cases="results/cases/{dataset}.csv",
        shards=NEEDS.review_shards,
        splits="results/splits/{dataset}.csv",
        images="results/index/{dataset}/images.csv",
        lesions=f"results/index/{{dataset}}/{STUDY.evaluated_as}.csv",
        mpms=NEEDS.maps,
        detections=NEEDS.detections,
        candidates=NEEDS.candidates,
        points="results/froc/{dataset}/{backbone}/{init}/points.csv",
        pooled="results/froc/{dataset}/{backbone}/{init}/pooled.csv",
    output:
        page="results/review/{dataset}/{backbone}/{init}/index.html",
        model="results/review/{dataset}/{backbone}/{init}/model.js",
        maps="results/review/{dataset}/{backbone}/{init}/maps.js",
    log:
        "logs/review/{dataset}/{backbone}/{init}.log",
    benchmark:
        "results/benchmarks/review/{dataset}/{backbone}/{init}.tsv"
    conda:
        "../envs/imaging.yaml"
    resources:
        mem=growing(8, "GB"),
        runtime=growing(1, "h"),
    params:
        *NEEDS.code("review.py"),
        evaluation=NEEDS.evaluation,
        shards=NEEDS.setting("shards"),
        models=STUDY.detection_chains,
        labels=STUDY.labels,
    script:
        "../scripts/review.py"
