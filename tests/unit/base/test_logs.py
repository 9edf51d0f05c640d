import subprocess
import sys

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
