"""Maps are computed with oneDNN, which TensorFlow chooses once, while it is imported."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[3] / "workflow" / "scripts"
ENABLED = "from tensorflow.python.framework import test_util; print(test_util.IsMklEnabled())"


def printed(code, **variables):
    """Last line that a program prints which begins with the imports of a script."""
    environment = {name: value for name, value in os.environ.items() if name != "TF_ENABLE_ONEDNN_OPTS"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, cwd=SCRIPTS, env=environment | variables, check=True, capture_output=True, text=True
    )
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("script", "variables", "expected"),
    [
        ("mpm.py", {}, "True"),
        ("classify.py", {}, "True"),
        ("mpm.py", {"TF_ENABLE_ONEDNN_OPTS": "0"}, "False"),
    ],
)
def test_scripts_that_apply_networks_use_onednn_unless_the_user_says_otherwise(script, variables, expected):
    imports = re.findall(r"^(?:from|import) .*", (SCRIPTS / script).read_text(), re.MULTILINE)
    assert printed("\n".join([*imports, ENABLED]), **variables) == expected
