"""Shared by all rules. The checked config, the wildcards it allows, and the code a script imports."""

import re
import sys
import time
from pathlib import Path

from snakemake.exceptions import WorkflowError

SCRIPTS = Path(workflow.basedir, "workflow", "scripts")
sys.path.append(str(SCRIPTS))

from mammoflow import archives
from mammoflow.study import configuration, journal, progress, sources, workspace

try:
    configuration.check(config, Path(workflow.basedir, "workflow", "schemas", "config.schema.json"))
    workspace.check(Path.cwd())
except (configuration.ConfigurationError, workspace.WorkspaceError) as error:
    raise WorkflowError(str(error)) from None

# Files laid over each other mix the order of keys, and params are compared as texts.
settled = configuration.in_order(config)
config.clear()
config.update(settled)

STUDY = configuration.Study(config)


def one_of(names):
    """Regular expression of names; of none, one that nothing matches."""
    return "|".join(map(re.escape, names)) or "(?!)"


wildcard_constraints:
    dataset=one_of(STUDY.datasets),
    backbone=one_of(STUDY.backbones),
    init=one_of(STUDY.chains + STUDY.ablated_chains),
    weights=one_of(STUDY.base_weights),
    external=one_of(config["detection"]["external"]),
    shard=r"\d+",
    fold=r"\d+",
    run=r"\d+",


def code(script):
    """Unnamed params of a rule: its script and the modules that this imports, each with a digest.

    An edit of one re-runs exactly the rules that use it. As params, they do not depend on where the
    project lies and when its files were written, as inputs would.
    """
    return sources.listed(SCRIPTS, script)


def check_before_jobs():
    """Refuse to begin where results cannot be written, or would be thrown away for the date of an input."""
    jobs = list(workflow.dag.needrun_jobs())
    given = {path for job in jobs for path in job.input} - {path for job in jobs for path in job.output}
    try:
        workspace.check_results(Path.cwd())
        workspace.check_dates(given, time.time())
    except workspace.WorkspaceError as error:
        raise WorkflowError(str(error)) from None


def growing(amount, unit):
    """Resource function: the amount at the first attempt, twice and thrice as much at the next ones.

    A job that SLURM ended for want of memory or time comes again with more.
    """

    def resource(wildcards, attempt):
        return f"{attempt * amount}{unit}"

    return resource


def archive_code(wildcards):
    """Params function: the module that reads the archive of a data set, and those that it imports.

    Scripts get it from `archives.archive`, so that the loaders of other archives do not matter to them.
    """
    archive = archives.ARCHIVES[config["datasets"][wildcards.dataset]["archive"]]
    return sources.listed(SCRIPTS, f"mammoflow/archives/{archive}.py")


def network_code(wildcards):
    """Params function: the module of a network. To add or edit another one re-runs nothing of this one."""
    return sources.listed(SCRIPTS, f"mammoflow/networks/architectures/{wildcards.backbone}.py")


def dataset_setting(key):
    """Input or params function: one key of the data set that the wildcards name."""

    def setting(wildcards):
        return config["datasets"][wildcards.dataset].get(key)

    return setting


def stores_of(dataset):
    """All shards of the images store of a data set."""
    return expand(
        "results/images/{dataset}/shard-{shard}.h5",
        dataset=dataset,
        shard=range(config["datasets"][dataset]["shards"]),
    )


def stores(wildcards):
    """Input function: all shards of the images store of the data set that the wildcards name."""
    return stores_of(wildcards.dataset)


def first_bank(wildcards):
    """Input function: the bank of the first fold of the data set that the wildcards name."""
    return f"results/patches/{wildcards.dataset}/fold-{STUDY.folds(wildcards.dataset)[0]}.h5"


def runs_of_fold(file):
    """Input function: one file of every run of a fold."""

    def paths(wildcards):
        init = STUDY.trained_as(wildcards.init)
        return expand(
            f"results/models/{{dataset}}/{{backbone}}/{{init}}/fold-{{fold}}/run-{{run}}/{file}",
            **(dict(wildcards) | {"init": init}),
            run=range(STUDY.runs(wildcards.dataset, wildcards.backbone, init)),
        )

    return paths


def stored_tables(wildcards):
    """Input function: tables of what every shard of the data set that the wildcards name stored."""
    return [path.replace(".h5", ".csv") for path in stores(wildcards)]


def initial_weights(wildcards):
    """Weights a run starts from: none, base weights, or every run of the chain before this one."""
    return STUDY.initial(wildcards, "model.weights.h5")


def initial_metadata(wildcards):
    """Records of the runs among which the chain's best is chosen, on validation loss."""
    return STUDY.initial(wildcards, "model.json")


def maps_of_folds(wildcards):
    """Maps of every fold, in order."""
    return expand(
        "results/mpm/{dataset}/{backbone}/{init}/fold-{fold}.h5",
        **(dict(wildcards) | {"init": STUDY.mapped_as(wildcards.init)}),
        fold=STUDY.folds(wildcards.dataset),
    )


def detections_of_folds(wildcards):
    """Detections of every fold, in order."""
    return expand(
        "results/detections/{dataset}/{backbone}/{init}/fold-{fold}.parquet",
        **(dict(wildcards) | {"init": STUDY.mapped_as(wildcards.init)}),
        fold=STUDY.folds(wildcards.dataset),
    )
