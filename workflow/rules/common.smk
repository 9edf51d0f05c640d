"""Shared by all rules: the checked config, the allowed wildcards, and the code that a script imports."""

import re
import sys
import time
from functools import partial
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.settings.types import DeploymentMethod

HERE = Path(workflow.current_basedir.get_path_or_uri(secret_free=True))


def source(path):
    """A file of the workflow, relative to this folder; a copy of it if the workflow is used from elsewhere."""
    return HERE / path if HERE.is_dir() else Path(workflow.source_path(path))


if HERE.is_dir():  # else the workflow is a module from a repository elsewhere
    sys.path.append(str(HERE.parent / "scripts"))
try:
    import mammoflow
except ModuleNotFoundError:
    raise WorkflowError(
        "mammoflow: expected its package where Snakemake is installed, since the workflow is used from another "
        "repository; found none. Install it with pip from that repository, at the same version."
    ) from None
PACKAGES = Path(mammoflow.__file__).parents[1]
if HERE.is_dir() and PACKAGES.resolve() != (HERE.parent / "scripts").resolve():
    raise WorkflowError(
        f"mammoflow: expected the package of this checkout; Python finds another one in {PACKAGES}, which jobs would "
        "run. Uninstall it (pip uninstall mammoflow), or install this checkout with pip install --editable."
    )

from mammoflow.study import configuration, journal, paths, progress, workspace
from mammoflow.study.design import Study
from mammoflow.study.needs import Needs

try:
    if HERE.is_dir():
        workspace.check_checkout(HERE.parents[1])
    configuration.adapt(config, source("../schemas/config.schema.json"))
    configuration.check(config, source("../schemas/config.schema.json"))
    workspace.check(Path.cwd())
    if STORE := workflow.storage_registry.default_storage_provider:
        PREFIX = workflow.storage_settings.default_storage_prefix
        workspace.check_store(STORE.object(f"{PREFIX}/results/report.html").exists, PREFIX)
except (configuration.ConfigurationError, workspace.WorkspaceError) as error:
    raise WorkflowError(str(error)) from None

# Snakemake 9.27 writes the path of the interpreter into the commands of jobs without quoting.
sys.executable = workspace.shell_word(sys.executable)

# Merged config files mix the order of keys, and Snakemake compares params as text.
settled = configuration.in_order(config)
config.clear()
config.update(settled)

STUDY = Study(config)
NEEDS = Needs(STUDY, PACKAGES, lambda script: source(f"../scripts/{script}"), shared=not STORE)


def one_of(names):
    """Regular expression that matches the names; without names, it matches nothing."""
    return "|".join(map(re.escape, names)) or "(?!)"


wildcard_constraints:
    dataset=one_of(STUDY.datasets + STUDY.joint_datasets),
    backbone=one_of(STUDY.backbones),
    init=one_of(STUDY.chains + STUDY.ablated_chains + STUDY.transferred_chains),
    weights=one_of(STUDY.base_weights),
    external=one_of(config["detection"]["external"]),
    shard=r"\d+",
    fold=r"\d+",
    run=r"\d+",


def check_before_jobs():
    """Refuse to start if jobs could not run, or results would be discarded because of the date of an input."""
    jobs = list(workflow.dag.needrun_jobs())
    made = {path for job in jobs for path in job.output}
    given = {path for job in jobs for path in job.input} - made
    try:
        if DeploymentMethod.APPTAINER in workflow.deployment_settings.deployment_method:
            workspace.check_image(config["container"])
        workspace.check_results(Path.cwd())
        workspace.check_shards({path for job in jobs for path in NEEDS.stores_not_named(job.params)} - made)
        workspace.check_dates(given, time.time())
    except workspace.WorkspaceError as error:
        raise WorkflowError(str(error)) from None


def growing(amount, unit):
    """Resource function: the amount at the first attempt, two and three times as much at the next ones.

    A job that SLURM ended because it exceeded its memory or time is repeated with more.
    """

    def resource(wildcards, attempt):
        return f"{attempt * amount}{unit}"

    return resource
