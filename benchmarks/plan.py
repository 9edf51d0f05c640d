"""Measures how long Snakemake takes to plan a study, and its memory.

Plans the paper's study, and the same study with INbreast enlarged to 100,000 images in 1,000 shards and 20
chains of weights. With `--touch`, the large study is also planned when it is finished: all files except the
index are created empty and recorded by `snakemake --touch`, which takes a tenth of a second per job. With
`--finished`, a finished study of this checkout is planned, by a dry run and by a run without jobs:

    python benchmarks/plan.py --finished config/demo.yaml
"""

import argparse
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import yaml

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.append(str(REPOSITORY / "workflow" / "scripts"))

from mammoflow.base.contracts.index import IMAGES

MARKS = {
    "cbis-ddsm": ["mass_case_description_train_set.csv", "mass_case_description_test_set.csv"],
    "inbreast": ["INbreast.csv", "AllDICOMs/x.dcm", "AllXML/x.xml"],
}


def releases(folder: Path) -> None:
    """Empty files that mark the paper's two releases."""
    for archive, marks in MARKS.items():
        for mark in marks:
            path = folder / "data" / archive / mark
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()


def big(shards: int, chains: int) -> dict:
    """Settings that override the paper's: INbreast in many shards, and chains from many weights."""
    weights = {f"weights-{number}": {"label": f"{number}", "source": "keras"} for number in range(chains)}
    return {
        "datasets": {"inbreast": {"shards": shards}},
        "weights": weights,
        "experiments": {"detection": {"initializations": [f"{name}+cbis-ddsm" for name in weights]}},
    }


def index(folder: Path, images: int) -> None:
    """Images of INbreast, four to a patient."""
    numbers = pd.Series(range(images))
    table = pd.DataFrame(
        {
            "image_id": numbers.map("{:08}".format),
            "patient_id": (numbers // 4).map("{:07}".format),
            "laterality": "L",
            "view": "CC",
            "official_split": "",
            "path": numbers.map("AllDICOMs/{:08}_0123456789abcdef_MG_L_CC_ANON.dcm".format),
            "rows": 4084,
            "columns": 3328,
            "spacing_mm": 0.07,
            "spacing_source": "ImagerPixelSpacing",
            "flags": "",
        }
    )
    path = folder / "results" / "index" / "inbreast" / "images.csv"
    path.parent.mkdir(parents=True)
    IMAGES.write(table, path)


def snakemake(folder: Path, *arguments: object) -> tuple[str, str]:
    """Run Snakemake of this checkout in a folder; returns its output and its cost in words."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", REPOSITORY / "Snakefile", "--cores", "2"]
    environment = {name: value for name, value in os.environ.items() if name != "MAMMOFLOW_CALLED_FROM"}
    begun = time.perf_counter()
    with tempfile.TemporaryFile("w+") as printed:
        process = subprocess.Popen(
            [*map(str, [*command, *arguments])],
            cwd=folder,
            env=environment,
            stdout=printed,
            stderr=subprocess.STDOUT,
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - begun
        printed.seek(0)
        text = printed.read()
    if process.returncode:
        sys.exit(text)
    return text, spent(seconds, used)


def spent(seconds: float, used: resource.struct_rusage) -> str:
    """Wall-clock time, processor time and peak memory of an ended process."""
    processors = used.ru_utime + used.ru_stime
    return f"{seconds:.1f} s, {processors:.1f} s of processor time, {used.ru_maxrss >> 10} MiB"


def plan(title: str, folder: Path, *arguments: object) -> int:
    """Print the cost of a dry run; returns its jobs."""
    text, took = snakemake(folder, *arguments, "--dry-run", "--quiet", "rules", "host", "reason")
    total = re.search(r"^total +(\d+)$", text, re.MULTILINE)
    jobs = int(total[1]) if total else 0
    print(f"{title}: {jobs} jobs, {took}", flush=True)
    return jobs


def touch(folder: Path, images: int, *arguments: object) -> None:
    """Create every file of a study, and let Snakemake record them as outputs."""
    index(folder, images)
    summary, _ = snakemake(folder, *arguments, "--summary")
    for line in summary.splitlines():
        path = folder / line.split("\t")[0]
        if line.startswith("results/") and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    _, took = snakemake(folder, *arguments, "--touch", "--quiet", "all")
    print(f"recording it: {took}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--shards", type=int, default=1000)
    parser.add_argument("--chains", type=int, default=20)
    parser.add_argument("--touch", action="store_true", help="plan the big study when it is finished, too")
    parser.add_argument("--finished", type=Path, metavar="CONFIGFILE", help="of a finished study")
    options = parser.parse_args()

    print(f"load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        releases(folder)
        plan("the paper's study", folder)
        settings = folder / "settings.yaml"
        settings.write_text(yaml.safe_dump(big(options.shards, options.chains)))
        size = f"{options.images} images in {options.shards} shards, {options.chains} chains"
        plan(size, folder, "--configfile", settings)
        if options.touch:
            touch(folder, options.images, "--configfile", settings)
            plan("the same when finished", folder, "--configfile", settings)
    if options.finished:
        chosen = ["--configfile", options.finished.resolve()]
        if not plan("finished study", REPOSITORY, *chosen):
            print(f"a run with nothing to do: {snakemake(REPOSITORY, *chosen)[1]}")
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
