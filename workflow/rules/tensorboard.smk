"""Shows the figures in TensorBoard, next to the curves of the trainings, only on request.

Needs: the figures.
Makes: logs/tensorboard/figures/, for `tensorboard --logdir logs/tensorboard`, where trainings write their events.
"""


rule tensorboard_figures:
    input:
        figures=[f"results/figures/{figure}.png" for figure in [*FIGURES, "figure-errors"]],
        breast_regions=expand("results/figures/breast-regions-{dataset}.png", dataset=STUDY.used_datasets),
        augmented=expand("results/figures/augmented-patches-{dataset}.png", dataset=STUDY.used_datasets),
    output:
        events=directory("logs/tensorboard/figures"),
    log:
        "logs/tensorboard_figures.log",
    benchmark:
        "results/benchmarks/tensorboard_figures.tsv"
    conda:
        "../envs/tensorflow.yaml"
    resources:
        mem=growing(4, "GB"),
        runtime=growing(10, "m"),
    params:
        *NEEDS.code("tensorboard_figures.py"),
    script:
        "../scripts/tensorboard_figures.py"
