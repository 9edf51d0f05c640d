"""Lists the images and lesions of a release on disk in tables.

Needs: the release of the data set, found at its root.
Makes: results/index/{dataset}/{images,lesions,excluded,reconciliation}.csv.
"""


rule index:
    input:
        release=local(NEEDS.release_files),
    output:
        images="results/index/{dataset}/images.csv",
        lesions="results/index/{dataset}/lesions.csv",
        excluded="results/index/{dataset}/excluded.csv",
        reconciliation="results/index/{dataset}/reconciliation.csv",
    log:
        "logs/index/{dataset}.log",
    benchmark:
        "results/benchmarks/index/{dataset}.tsv"
    conda:
        "../envs/imaging.yaml"
    threads: 4
    resources:
        mem=growing(4, "GB"),
        runtime=growing(2, "h"),
    params:
        *NEEDS.code("index.py"),
        archive_code=NEEDS.archive_code,
        archive=NEEDS.setting("archive"),
        root=NEEDS.root,
        settings=NEEDS.index_settings,
    script:
        "../scripts/index.py"
