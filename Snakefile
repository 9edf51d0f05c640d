"""Automatic mass detection in mammograms, from archives on disk to FROC tables.

Paths, relative to the workspace; {init} is a chain such as imagenet+cbis-ddsm,
and for an ablation of it imagenet+cbis-ddsm@shallow:

    results/index/{dataset}/{images,lesions,contours,excluded,reconciliation,stored}.csv
    results/images/{dataset}/shard-{shard}.h5
    results/splits/{dataset}.csv
    results/patches/{dataset}/fold-{fold}.h5
    results/weights/{weights}/{backbone}.h5
    results/models/{dataset}/{backbone}/{init}/fold-{fold}/run-{run}/{model.weights.h5,model.json,history.csv}
    results/classification/{dataset}/{backbone}/{init}/fold-{fold}/run-{run}.csv
    results/mpm/{dataset}/{backbone}/{init}/fold-{fold}.h5
    results/detections/{dataset}/{backbone}/{init}/fold-{fold}.parquet
    results/froc/{dataset}/{backbone}/{init}/{{points,curve,operating-points,folds,merits}.csv,draws.parquet}
    results/froc/{dataset}/external/{external}/{{points,curve,operating-points,folds,merits}.csv,draws.parquet}
    results/tables/{table-{1,...,4,protocol,comparison,ablations},reconciliation}.{csv,md}
    results/figures/{figure-{1,...,5}.{png,svg},breast-regions-{dataset}.png,augmented-patches-{dataset}.{png,svg}}
    results/report.html
    results/figures/overlays/{dataset}/{backbone}/{init}/{image_id}.png (on request)
    results/index/{dataset}/replaced.csv (on request)

Logs and benchmarks repeat the sub-path under logs/{rule}/ and results/benchmarks/{rule}/. What happened to
the jobs is in logs/journal.jsonl.
"""

import os
import sys
from pathlib import Path

from snakemake.logging import logger
from snakemake.utils import min_version

min_version("9.27")


configfile: f"{workflow.basedir}/config/config.yaml"


# A job of SLURM starts Snakemake once more, from inside the workspace: where the user called it is handed down.
CALLED_FROM = Path(os.environ.setdefault("MAMMOFLOW_CALLED_FROM", os.getcwd()))


workdir: str(CALLED_FROM / config.get("workspace", "."))


include: "workflow/rules/common.smk"
include: "workflow/rules/phantoms.smk"
include: "workflow/rules/index.smk"
include: "workflow/rules/images.smk"
include: "workflow/rules/splits.smk"
include: "workflow/rules/bank.smk"
include: "workflow/rules/weights.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/classify.smk"
include: "workflow/rules/detect.smk"
include: "workflow/rules/froc.smk"
include: "workflow/rules/present.smk"
include: "workflow/rules/overlays.smk"


rule all:
    default_target: True
    input:
        "results/report.html",
        expand("results/tables/{table}.{format}", table=TABLES, format=["csv", "md"]),
        expand("results/figures/{figure}.{format}", figure=FIGURES, format=["png", "svg"]),
        expand("results/figures/breast-regions-{dataset}.png", dataset=STUDY.used_datasets),
        expand(
            "results/figures/augmented-patches-{dataset}.{format}",
            dataset=STUDY.used_datasets,
            format=["png", "svg"],
        ),


JOURNAL = journal.Journal(sys.argv[1:])


onstart:
    check_before_jobs()
    JOURNAL.begin()
    logger.addHandler(JOURNAL)
    logger.addHandler(
        progress.Progress({job.log[0]: job.rule.name for job in workflow.dag.needrun_jobs() if job.log})
    )


onsuccess:
    JOURNAL.end()


onerror:
    JOURNAL.end()
    print(JOURNAL.failures(CALLED_FROM), file=sys.stderr)
