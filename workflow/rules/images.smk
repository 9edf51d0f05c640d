"""Stores the cropped breasts with their lesion labels and their position in the original image.

Needs: the index of a data set.
Makes: results/images/{dataset}/shard-{shard}.h5, with overviews of all images for the contact sheet, and a table
       of stored and excluded images; on request results/index/{dataset}/replaced.csv, images whose files changed since.
"""


rule images:
    input:
        images="results/index/{dataset}/images.csv",
        lesions="results/index/{dataset}/lesions.csv",
    output:
        store="results/images/{dataset}/shard-{shard}.h5",
        stored="results/images/{dataset}/shard-{shard}.csv",
    log:
        "logs/images/{dataset}/shard-{shard}.log",
    benchmark:
        "results/benchmarks/images/{dataset}/shard-{shard}.tsv"
    conda:
        "../envs/imaging.yaml"
    threads: 4
    resources:
        mem=growing(8, "GB"),
        runtime=growing(2, "h"),
    params:
        *NEEDS.code("images.py"),
        archive_code=NEEDS.archive_code,
        archive=NEEDS.setting("archive"),
        root=NEEDS.root,
        acquisition=NEEDS.setting("acquisition"),
        resolution=NEEDS.setting("resolution"),
        shards=NEEDS.setting("shards"),
    script:
        "../scripts/images.py"


rule replaced:
    input:
        images="results/index/{dataset}/images.csv",
        lesions="results/index/{dataset}/lesions.csv",
        stored=NEEDS.stored,
    output:
        replaced="results/index/{dataset}/replaced.csv",
    log:
        "logs/replaced/{dataset}.log",
    benchmark:
        "results/benchmarks/replaced/{dataset}.tsv"
    conda:
        "../envs/imaging.yaml"
    threads: 4
    resources:
        mem=growing(8, "GB"),
        runtime=growing(4, "h"),
    params:
        *NEEDS.code("replaced.py"),
        archive_code=NEEDS.archive_code,
        archive=NEEDS.setting("archive"),
        root=NEEDS.root,
        shards=NEEDS.setting("shards"),
    script:
        "../scripts/replaced.py"
