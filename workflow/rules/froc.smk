"""FROC curves and operating points over the folds of a data set.

Needs: the splits, the index and the detections of every fold.
Makes: results/froc/{dataset}/{backbone}/{init}/{points,curve,operating-points}.csv.
"""


rule froc:
    input:
        splits="results/splits/{dataset}.csv",
        lesions="results/index/{dataset}/lesions.csv",
        detections=detections_of_folds,
        code=modules("froc.py"),
    output:
        points="results/froc/{dataset}/{backbone}/{init}/points.csv",
        curve="results/froc/{dataset}/{backbone}/{init}/curve.csv",
        operating_points="results/froc/{dataset}/{backbone}/{init}/operating-points.csv",
    log:
        "logs/froc/{dataset}/{backbone}/{init}.log",
    benchmark:
        "results/benchmarks/froc/{dataset}/{backbone}/{init}.tsv"
    conda:
        "../../envs/imaging.yaml"
    resources:
        mem=growing(4, "GB"),
        runtime=growing(1, "h"),
    params:
        evaluation=config["detection"]["evaluation"],
        seed=config["seed"],
    script:
        "../scripts/froc.py"
