"""What make would do, and in which surroundings; nothing is installed."""

import os
import re
import shutil
import subprocess

import pytest
from project import REPOSITORY

# Nothing of the make, or the session, that runs the tests.
ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("MAKE", "MFLAGS", "XDG_", "MPL"))
    and name not in ("PYTHON", "VENV", "GPU", "ARGS")
}
ODD = 'it\'s my "project" [1] #50% & $HOME'


def make(*arguments, folder=REPOSITORY, **environment):
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=folder,
        env={**ENVIRONMENT, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def checkout(folder, *stamps):
    """A folder with what make looks at; stamps say what is installed."""
    shutil.copytree(REPOSITORY / "envs", folder / "envs")
    shutil.copy2(REPOSITORY / "Makefile", folder)
    (folder / ".venv" / "bin").mkdir(parents=True)
    for stamp in stamps:
        (folder / ".venv" / stamp).touch()
    return folder


@pytest.fixture
def echoing(tmp_path):
    """A checkout whose Python prints the arguments and the caches of what it would run."""
    folder = checkout(tmp_path / ODD, "cpu.lock", "dev.lock")
    python = folder / ".venv" / "bin" / "python"
    python.write_text('#!/bin/sh\necho "$*"\necho "caches: $XDG_CACHE_HOME $MPLCONFIGDIR"\n')
    python.chmod(0o755)
    for stamp in ("cpu.lock", "dev.lock"):
        (folder / ".venv" / stamp).touch()
    return folder


def test_the_demo_starts_whatever_the_path_of_the_checkout(echoing):
    ran = make("demo", folder=echoing)
    assert ran.returncode == 0, ran.stderr
    assert "-m snakemake --cores all --configfile config/demo.yaml" in ran.stdout


def test_braces_are_refused_before_anything_is_installed(tmp_path):
    ran = make("demo", folder=checkout(tmp_path / "my {project}"))
    assert ran.returncode != 0
    assert "expected a folder without braces in its path, got" in ran.stderr
    assert not ran.stdout


def test_caches_lie_in_the_home(echoing, tmp_path):
    assert "caches:  \n" in make("demo", folder=echoing, HOME=str(tmp_path)).stdout


@pytest.mark.parametrize("home", ["/proc/nonexistent", "file", None])
def test_and_in_the_checkout_where_it_cannot_be_written(echoing, tmp_path, home):
    if home == "file":
        home = tmp_path / "home"
        home.touch()
    ran = make("demo", folder=echoing, **({"HOME": str(home)} if home else {"HOME": ""}))
    assert f"caches: {echoing}/.cache {echoing}/.cache/matplotlib" in ran.stdout


def test_every_promised_python_on_the_path_is_tried(tmp_path):
    programs = tmp_path / "programs"
    programs.mkdir()
    for version, status in {"3.11": 1, "3.12": 0}.items():
        program = programs / f"python{version}"
        program.write_text(f"#!/bin/sh\nexit {status}\n")
        program.chmod(0o755)
    ran = make(
        "-n", "test-pythons", folder=checkout(tmp_path / "checkout"), PATH=f"{programs}:{os.environ['PATH']}"
    )
    assert ran.returncode == 0, ran.stderr
    assert "python3.11: not on the PATH" in ran.stdout
    assert f"python3.12: {programs}/python3.12" in ran.stdout
    assert "python3.12 -m venv .venv-3.12" in ran.stdout
    for tests in ("-m 'not workflow'", "tests/workflow/test_end_to_end.py"):
        assert re.search(rf"\.venv-3\.12/bin/python -m pytest .* {re.escape(tests)}", ran.stdout)
