"""Computes FROC curves, operating points and areas over the folds of a data set, for our boxes and external ones.

Needs: the splits, the index, and the detections and candidates of every fold or a file of external boxes; the release, for the
       contours of merged lesions.
Makes: results/index/{dataset}/contours.csv and, in results/froc/{dataset}/{backbone}/{init}/ and
       results/froc/{dataset}/external/{external}/, {points,curve,pooled,operating-points,folds,merits}.csv, draws.parquet.
"""


rule contours:
    input:
        images="results/index/{dataset}/images.csv",
        lesions="results/index/{dataset}/lesions.csv",
        release=local(NEEDS.release_files),
    output:
        contours="results/index/{dataset}/contours.csv",
    log:
        "logs/contours/{dataset}.log",
    benchmark:
        "results/benchmarks/contours/{dataset}.tsv"
    conda:
        "../envs/imaging.yaml"
    resources:
        mem=growing(4, "GB"),
        runtime=growing(1, "h"),
    params:
        *NEEDS.code("contours.py"),
        archive_code=NEEDS.archive_code,
        archive=NEEDS.setting("archive"),
        root=NEEDS.root,
    script:
        "../scripts/contours.py"


rule froc:
    input:
        splits="results/splits/{dataset}.csv",
        images="results/index/{dataset}/images.csv",
        lesions="results/index/{dataset}/lesions.csv",
        contours="results/index/{dataset}/contours.csv",
        detections=NEEDS.detections,
        candidates=NEEDS.candidates,
    output:
        points="results/froc/{dataset}/{backbone}/{init}/points.csv",
        curve="results/froc/{dataset}/{backbone}/{init}/curve.csv",
        pooled="results/froc/{dataset}/{backbone}/{init}/pooled.csv",
        operating_points="results/froc/{dataset}/{backbone}/{init}/operating-points.csv",
        folds="results/froc/{dataset}/{backbone}/{init}/folds.csv",
        merits="results/froc/{dataset}/{backbone}/{init}/merits.csv",
        draws="results/froc/{dataset}/{backbone}/{init}/draws.parquet",
    log:
        "logs/froc/{dataset}/{backbone}/{init}.log",
    benchmark:
        "results/benchmarks/froc/{dataset}/{backbone}/{init}.tsv"
    conda:
        "../envs/imaging.yaml"
    resources:
        mem=growing(4, "GB"),
        runtime=growing(1, "h"),
    params:
        *NEEDS.code("froc.py"),
        evaluation=NEEDS.evaluation,
        seed=config["seed"],
    script:
        "../scripts/froc.py"


rule froc_external:
    input:
        splits="results/splits/{dataset}.csv",
        images="results/index/{dataset}/images.csv",
        lesions="results/index/{dataset}/lesions.csv",
        contours="results/index/{dataset}/contours.csv",
        boxes=local(NEEDS.external_file),
    output:
        points="results/froc/{dataset}/external/{external}/points.csv",
        curve="results/froc/{dataset}/external/{external}/curve.csv",
        pooled="results/froc/{dataset}/external/{external}/pooled.csv",
        operating_points="results/froc/{dataset}/external/{external}/operating-points.csv",
        folds="results/froc/{dataset}/external/{external}/folds.csv",
        merits="results/froc/{dataset}/external/{external}/merits.csv",
        draws="results/froc/{dataset}/external/{external}/draws.parquet",
    log:
        "logs/froc_external/{dataset}/{external}.log",
    benchmark:
        "results/benchmarks/froc_external/{dataset}/{external}.tsv"
    conda:
        "../envs/imaging.yaml"
    resources:
        mem=growing(4, "GB"),
        runtime=growing(1, "h"),
    params:
        *NEEDS.code("froc_external.py"),
        evaluation=config["detection"]["evaluation"],
        seed=config["seed"],
    script:
        "../scripts/froc_external.py"
