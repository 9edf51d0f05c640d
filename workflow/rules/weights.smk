"""Provides the weights with which a chain may begin, in Keras' `notop` layout.

Needs: a file of the user, or a network connection (Keras' download); for `photographs`, nothing.
Makes: results/weights/{weights}/{backbone}.h5 and a record of its origin.
"""


rule weights:
    input:
        file=local(NEEDS.weights_file),
    output:
        weights="results/weights/{weights}/{backbone}.h5",
        record="results/weights/{weights}/{backbone}.json",
    log:
        "logs/weights/{weights}/{backbone}.log",
    benchmark:
        "results/benchmarks/weights/{weights}/{backbone}.tsv"
    wildcard_constraints:
        weights=one_of(STUDY.given_weights),
    conda:
        "../envs/tensorflow.yaml"
    resources:
        mem=growing(4, "GB"),
        runtime=growing(1, "h"),
    params:
        *NEEDS.code("weights.py"),
        network=NEEDS.network_code,
        source=NEEDS.weights_source,
        window=config["patches"]["window"],
    script:
        "../scripts/weights.py"


rule pretrain:
    output:
        weights="results/weights/{weights}/{backbone}.h5",
        record="results/weights/{weights}/{backbone}.json",
    log:
        "logs/pretrain/{weights}/{backbone}.log",
    benchmark:
        "results/benchmarks/pretrain/{weights}/{backbone}.tsv"
    wildcard_constraints:
        weights=one_of(STUDY.learnt_weights),
    conda:
        "../envs/tensorflow.yaml"
    threads: 4
    resources:
        gpu=1,
        mem=growing(8, "GB"),
        runtime=growing(2, "h"),
    params:
        *NEEDS.code("pretrain.py"),
        network=NEEDS.network_code,
        pretext=NEEDS.weights_source,
        window=config["patches"]["window"],
        training=NEEDS.training_of_weights,
        seed=config["seed"],
    script:
        "../scripts/pretrain.py"
