"""Runs Snakemake on a copy of the project that a test may edit."""

import atexit
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
TINY = REPOSITORY / "tests" / "workflow" / "tiny.yaml"


def wait_until(condition, seconds=180):
    """Return when the condition holds; it is an error when that takes longer."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.2)


@cache
def planner():
    """The process of `planner.py`, which ends with the tests."""
    process = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("planner.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    atexit.register(process.communicate)
    return process


class Project:
    """A copy of the project, and snakemake on it."""

    python = sys.executable

    def __init__(self, folder, python=sys.executable):
        self.folder = folder
        self.python = str(python)
        for name in ("Snakefile", "workflow", "config", "envs", "profiles"):
            source = REPOSITORY / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source, folder / name)

    def command(self, *arguments, configfile=TINY, settings=None, cores=2):
        """Command line of a run. Settings are laid over the config file."""
        files = [configfile] if configfile else []
        if settings:
            files.append(self.folder / "settings.yaml")
            files[-1].write_text(yaml.safe_dump(settings))
        chosen = ["--configfile", *map(str, files)] if files else []
        limit = ["--cores", str(cores)] if cores else []
        return [self.python, "-m", "snakemake", *chosen, *limit, *map(str, arguments)]

    def snakemake(self, *arguments, env=None, timeout=1200, **options):
        """Ran process; nothing is checked. Options are those of `command`."""
        return subprocess.run(
            self.command(*arguments, **options),
            cwd=self.folder,
            env=env,
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

    @contextmanager
    def edited(self, file, *replacements):
        """While it lasts, a file of the project reads otherwise: pairs of a text and what stands for it."""
        path = self.folder / file
        text, times = path.read_text(), path.stat()
        other = text
        for old, new in replacements:
            assert old in other, f"{file}: there is no {old!r}"
            other = other.replace(old, new)
        try:
            path.write_text(other)
            yield
        finally:
            path.write_text(text)
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))

    def jobs(self, *arguments, **options):
        """Jobs that a dry run lists, the target too: pairs of a rule and its wildcards."""
        out = self._forked(*arguments, "--dry-run", "--quiet", "host", **options)
        blocks = re.findall(r"^(?:local)?rule (\w+):\n((?:    .*\n)*)", out, re.MULTILINE)
        return [
            (rule, dict(re.findall(r"(\w+)=([^,\s]+)", "".join(re.findall(r"wildcards: (.*)", block)))))
            for rule, block in blocks
        ]

    def _forked(self, *arguments, **options):
        """Output of a dry run by a process that has imported Snakemake once for all."""
        said = self.folder / "said.txt"
        request = {
            "arguments": self.command(*arguments, **options)[3:],
            "folder": str(self.folder),
            "said": str(said),
        }
        print(json.dumps(request), file=planner().stdin, flush=True)
        status = planner().stdout.readline().strip()
        assert status == "0", f"status {status}: {said.read_text()}"
        return said.read_text()

    def planned(self, *arguments, **options):
        """Jobs per rule that a dry run lists, without the target."""
        out = self.run("--dry-run", "--quiet", "host", *arguments, **options)
        counts = Counter(
            {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", out, re.MULTILINE)}
        )
        for name in ("total", "all"):
            del counts[name]
        return dict(counts)
