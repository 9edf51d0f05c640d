import subprocess
import sys

CODE = """
import os, sys
from mammoflow import logs
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
