"""Draws a test image with its masses, map and boxes, only on request.

Needs: the index, the splits, the images store, and the maps, boxes and FROC points of a model.
Makes: results/figures/overlays/{dataset}/{backbone}/{init}/{image_id}.png.
"""


rule overlay:
    input:
        splits="results/splits/{dataset}.csv",
        images="results/index/{dataset}/images.csv",
        lesions=f"results/index/{{dataset}}/{STUDY.evaluated_as}.csv",
        stores=NEEDS.stores,
        mpms=NEEDS.maps,
        boxes=NEEDS.drawn_boxes,
        points="results/froc/{dataset}/{backbone}/{init}/points.csv",
    output:
        png="results/figures/overlays/{dataset}/{backbone}/{init}/{image_id}.png",
    log:
        "logs/overlay/{dataset}/{backbone}/{init}/{image_id}.log",
    benchmark:
        "results/benchmarks/overlay/{dataset}/{backbone}/{init}/{image_id}.tsv"
    wildcard_constraints:
        image_id="[^/]+",
    conda:
        "../envs/imaging.yaml"
    resources:
        mem=growing(4, "GB"),
        runtime=growing(10, "m"),
    params:
        *NEEDS.code("overlay.py"),
        overlays=config["detection"]["overlays"],
        drawn=config["detection"]["drawn"],
        evaluation=NEEDS.evaluation,
        levels=config["detection"]["levels"],
        labels=STUDY.labels,
    script:
        "../scripts/overlay.py"
