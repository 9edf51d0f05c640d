"""Print the progress of a study: `make status`, or `python workflow/scripts/status.py [arguments]`."""

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
    """Output of Snakemake about the study; if Snakemake fails, this program ends with its error message."""
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
    """Folder of the study's results, from the command line or from the last config file that sets it."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--directory", "-d", type=Path)
    parser.add_argument("--config", "-C", nargs="+", default=[])
    parser.add_argument("--configfile", "--configfiles", nargs="+", type=Path, default=[])
    options = parser.parse_known_args()[0]
    if options.directory:
        return options.directory
    files = [HOME / "config" / "config.yaml", *options.configfile]
    folders = [yaml.safe_load(file.read_text()).get("workspace") for file in files]
    folders += [
        entry.removeprefix("workspace=") for entry in options.config if entry.startswith("workspace=")
    ]
    return Path(*[folder for folder in folders if folder][-1:])


if __name__ == "__main__":
    with ThreadPoolExecutor(2) as pool:
        summary = pool.submit(asked, "--summary")
        plan = pool.submit(asked, "--dry-run", "--quiet", "host")
        found, planned = summary.result(), plan.result()
    os.chdir(workspace())
    records = journal.read(journal.PATH)
    jobs = status.status(found, planned, records)
    took = status.seconds(Path("results/benchmarks"))
    print(status.render(jobs, status.rules(HOME / "workflow" / "Snakefile"), took, records, time.time()))
