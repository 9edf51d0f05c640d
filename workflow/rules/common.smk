"""Shared by all rules. The checked config, the wildcards it allows, and the code a script imports."""

import re
import sys
import time
from pathlib import Path

from snakemake.exceptions import WorkflowError

SCRIPTS = Path(workflow.basedir, "workflow", "scripts")
sys.path.append(str(SCRIPTS))

from mammoflow.study import configuration, journal, paths, progress, workspace
from mammoflow.study.design import Study
from mammoflow.study.needs import Needs

try:
    configuration.check(config, Path(workflow.basedir, "workflow", "schemas", "config.schema.json"))
    workspace.check(Path.cwd())
except (configuration.ConfigurationError, workspace.WorkspaceError) as error:
    raise WorkflowError(str(error)) from None

# Files laid over each other mix the order of keys, and params are compared as texts.
settled = configuration.in_order(config)
config.clear()
config.update(settled)

STUDY = Study(config)
NEEDS = Needs(STUDY, SCRIPTS)


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
