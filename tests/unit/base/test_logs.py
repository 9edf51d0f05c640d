import subprocess
import sys

import pytest

CODE = """
import os, sys
from mammoflow.base import logs
logs.redirect(sys.argv[1])
print("python")
os.system("echo native")
os.write(2, b"descriptor\\n")
logs.announce("said")
raise SystemError("the end")
"""


def test_everything_lands_in_the_log_and_announcements_on_the_terminal_too(tmp_path):
    path = str(next(p for p in sys.path if p.endswith("workflow/scripts")))
    ran = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path / "log")],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": path, "PATH": "/usr/bin:/bin"},
    )
    log = (tmp_path / "log").read_text()
    assert ran.returncode != 0
    assert ran.stderr == "said\n"
    for line in ("python", "native", "descriptor", "said", "SystemError: the end"):
        assert line in log


FULL = """
import errno, sys
from mammoflow.base import logs
logs.redirect(sys.argv[1])
raise OSError(errno.ENOSPC, "a.h5: expected room")
"""


def test_a_full_disk_is_told_on_the_terminal_since_the_log_may_hold_nothing(disk, tmp_path):
    small = disk(tmp_path / "small", "64k")
    (small.folder / "log").touch()
    small.fill(0)
    path = str(next(p for p in sys.path if p.endswith("workflow/scripts")))
    ran = subprocess.run(
        [sys.executable, "-c", FULL, str(small.folder / "log")],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": path, "PATH": "/usr/bin:/bin"},
    )
    assert ran.returncode != 0
    assert ran.stderr == "a.h5: expected room\n"


def end_of(tmp_path, code):
    """Log of a script that ends with an error."""
    scripts = next(p for p in sys.path if p.endswith("workflow/scripts"))
    (tmp_path / "script.py").write_text(
        f"import sys; from mammoflow.base import logs; logs.redirect(sys.argv[1])\n{code}\n"
    )
    ran = subprocess.run(
        [sys.executable, tmp_path / "script.py", tmp_path / "log"],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(scripts), "PATH": "/usr/bin:/bin"},
    )
    assert ran.returncode == 1
    assert ran.stderr == ""
    return (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ('raise ValueError("a: expected b, got c")', "a: expected b, got c"),
        ('raise ValueError(\n"a: expected b, got c"\n)', "a: expected b, got c"),
        ('raise OSError(5, "a: expected b, got c")', "a: expected b, got c"),
        ('__file__ = "original.py"\nraise ValueError("as in Snakemake\'s copy")', "as in Snakemake's copy"),
        (
            'try:\n    int("x")\nexcept ValueError as error:\n    raise ValueError("a: got x") from error',
            "a: got x",
        ),
        (
            "from pathlib import Path\nfrom mammoflow.archives import release\nrelease.walk(Path('nowhere'))",
            "nowhere: expected the folder of a release, found none",
        ),
        (
            "from functools import partial\nfrom pathlib import Path\nfrom mammoflow.base import pool\n"
            "from mammoflow.archives import release\n"
            "list(pool.in_processes(release.walk, [Path('nowhere')], 2))",
            "nowhere: expected the folder of a release, found none",
        ),
        (
            "from pathlib import Path\nfrom mammoflow.base import pool\n"
            "from mammoflow.archives import release\n"
            "list(pool.ordered(release.walk, [Path('nowhere')], 1))",
            "nowhere: expected the folder of a release, found none",
        ),
    ],
)
def test_an_error_raised_on_purpose_is_one_sentence(tmp_path, code, sentence):
    assert end_of(tmp_path, code) == f"{sentence}\n"


@pytest.mark.parametrize(
    "code",
    [
        'int("x")',
        '{}["a"]',
        'raise KeyError("a")',
        'raise ValueError("two\\nlines")',
        'raise ValueError("")',
        "import numpy as np\nnp.zeros(2) + np.zeros(3)",
        "from mammoflow.base import pool\nlist(pool.in_processes(int, ['x'], 2))",
        "import json\njson.loads('{')",
    ],
)
def test_a_fault_in_the_code_keeps_its_traceback(tmp_path, code):
    assert "Traceback (most recent call last)" in end_of(tmp_path, code)
