"""Snakemake runs on a copy of the project, so that a test may edit it."""

import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
TINY = REPOSITORY / "tests" / "workflow" / "tiny.yaml"


class Project:
    """A copy of the project, and snakemake on it."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("Snakefile", "workflow", "config", "envs", "profiles"):
            source = REPOSITORY / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source, folder / name)

    def snakemake(self, *arguments, configfile=TINY, settings=None, timeout=1200):
        """Ran process; nothing is checked. Settings are laid over the config file."""
        files = [configfile] if configfile else []
        if settings:
            files.append(self.folder / "settings.yaml")
            files[-1].write_text(yaml.safe_dump(settings))
        chosen = ["--configfile", *map(str, files)] if files else []
        return subprocess.run(
            [sys.executable, "-m", "snakemake", "--cores", "2", *chosen, *map(str, arguments)],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )

    def run(self, *arguments, **options):
        """Output of a run that must end well; the logs of failed jobs are in the message."""
        ran = self.snakemake(*arguments, **options)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout + ran.stderr

    def planned(self, *arguments, **options):
        """Jobs per rule that a dry run lists, without the target."""
        out = self.run("--dry-run", "--quiet", "host", *arguments, **options)
        counts = Counter(
            {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", out, re.MULTILINE)}
        )
        for name in ("total", "all"):
            del counts[name]
        return dict(counts)
