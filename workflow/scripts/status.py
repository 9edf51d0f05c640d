"""Say how far a study is: `python workflow/scripts/status.py [arguments of snakemake]`, or `make status`."""

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

from mammoflow.study import journal, status

HOME = Path(__file__).resolve().parents[2]


def asked(*arguments: str) -> str:
    """What Snakemake prints about the study; its complaint ends this program."""
    ran = subprocess.run(
        [sys.executable, "-m", "snakemake", *sys.argv[1:], *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        sys.exit(ran.stderr)
    return ran.stdout


def workspace() -> Path:
    """Folder of the study's results: what the command line says, or the last config file that says it."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--directory", "-d", type=Path)
    parser.add_argument("--config", "-C", nargs="+", default=[])
    parser.add_argument("--configfile", "--configfiles", nargs="+", type=Path, default=[])
    given = parser.parse_known_args()[0]
    if given.directory:
        return given.directory
    files = [HOME / "config" / "config.yaml", *given.configfile]
    said = [yaml.safe_load(file.read_text()).get("workspace") for file in files]
    said += [entry.removeprefix("workspace=") for entry in given.config if entry.startswith("workspace=")]
    return Path(*[folder for folder in said if folder][-1:])


if __name__ == "__main__":
    with ThreadPoolExecutor(2) as pool:
        summary = pool.submit(asked, "--summary")
        plan = pool.submit(asked, "--dry-run", "--quiet", "host")
    os.chdir(workspace())
    records = journal.read(journal.PATH)
    found = status.status(summary.result(), plan.result(), records)
    took = status.seconds(Path("results/benchmarks"))
    print(status.render(found, status.rules(HOME / "workflow" / "Snakefile"), took, records, time.time()))
