"""Weights that a chain may begin with, in Keras' `notop` layout.

Needs: a file of the user's, a network (Keras' own download), or nothing (natural photographs).
Makes: results/weights/{weights}/{backbone}.h5 and the record of where it came from.
"""


rule weights:
    input:
        file=STUDY.weights_file,
        code=modules("weights.py"),
    output:
        weights="results/weights/{weights}/{backbone}.h5",
        record="results/weights/{weights}/{backbone}.json",
    log:
        "logs/weights/{weights}/{backbone}.log",
    benchmark:
        "results/benchmarks/weights/{weights}/{backbone}.tsv"
    conda:
        "../../envs/tensorflow.yaml"
    threads: 4
    resources:
        gpu=1,
        mem="8GB",
        runtime="2h",
    params:
        source=STUDY.weights_source,
        window=config["patches"]["window"],
        precision=config["training"]["precision"],
        seed=config["seed"],
        batch_normalization_momentum=STUDY.batch_normalization_momentum,
    script:
        "../scripts/weights.py"
