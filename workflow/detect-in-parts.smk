"""Detects on many mammograms in parts, each a job of its own: `mammoflow detect` for a cluster.

It needs no study and no config file:

    snakemake -s workflow/detect-in-parts.smk --cores 12 --config model=a.mammoflow images=mammograms out=found parts=50

Needs: a model file, and files or folders of mammograms.
Makes: the results of `mammoflow detect` in the folder `out`; records and logs of the parts in `{out}-parts/`.
"""

import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

min_version("9.27")

for key in ("model", "images", "out"):
    if not config.get(key):
        raise WorkflowError(f"--config: expected {key}=…, got none; see docs/detect.md")
try:
    PARTS = int(config.get("parts", 1))
    if PARTS < 1:
        raise ValueError
except ValueError:
    raise WorkflowError(f"--config parts: expected a number of at least 1, got '{config['parts']}'") from None

OUT = str(config["out"])
IMAGES = [config["images"]] if isinstance(config["images"], str) else config["images"]
SCRIPTS = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)) / "scripts"
# Files that cannot be used are listed in the results: for Snakemake this is no failure (exit status 3).
COMMAND = (
    "PYTHONPATH={params.scripts:q} {params.python:q} -m mammoflow.commands.main detect {input.model:q} "
    "{params.images:q} --out {params.out:q} --threads {threads} {params.options}"
)


def as_it_is(value):
    """Params function, since Snakemake takes braces in a plain value for wildcards."""

    def given(wildcards):
        return value

    return given


GIVEN = {
    "scripts": as_it_is(str(SCRIPTS)),
    "python": sys.executable,
    "images": as_it_is(list(map(str, IMAGES))),
    "out": OUT,
    "options": as_it_is(config.get("options", "")),
}


rule all:
    input:
        f"{OUT}/detections.csv",


rule part:
    input:
        model=local(config["model"]),
    output:
        done=touch(f"{OUT}-parts/{{part}}-of-{PARTS}.done"),
    log:
        f"{OUT}-parts/{{part}}-of-{PARTS}.log",
    threads: 4
    resources:
        gpu=1,
        mem="8GB",
        runtime="4h",
    params:
        **GIVEN,
        parts=PARTS,
    shell:
        COMMAND + " --part {wildcards.part}/{params.parts} >{log:q} 2>&1 || test $? = 3"


rule whole:
    input:
        model=local(config["model"]),
        parts=expand(f"{OUT}-parts/{{part}}-of-{PARTS}.done", part=range(1, PARTS + 1)),
    output:
        f"{OUT}/detections.csv",
    log:
        f"{OUT}-parts/whole.log",
    threads: 4
    resources:
        mem="8GB",
        runtime="4h",
    params:
        **GIVEN,
    shell:
        COMMAND + " >{log:q} 2>&1 || test $? = 3; tail -n 1 {log:q}"
