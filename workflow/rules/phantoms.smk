"""Makes synthetic cohorts.

Needs: the `phantoms` settings of a data set.
Makes: data/{dataset}/, a release in the format of its archive, and its record.
"""


rule phantoms:
    output:
        record=local("data/{dataset}/phantoms.json"),
    log:
        "logs/phantoms/{dataset}.log",
    benchmark:
        "results/benchmarks/phantoms/{dataset}.tsv"
    conda:
        "../envs/imaging.yaml"
    threads: 4
    resources:
        mem=growing(4, "GB"),
        runtime=growing(1, "h"),
    params:
        *NEEDS.code("phantoms.py"),
        archive=NEEDS.setting("archive"),
        phantoms=NEEDS.setting("phantoms"),
        seed=config["seed"],
    script:
        "../scripts/phantoms.py"
