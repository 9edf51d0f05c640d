import re
import subprocess
import sys

import pytest
from configs import SCRIPTS

from mammoflow.base import imports

CODE = """
import sys
from mammoflow.base import imports
imports.begin("matplotlib", "sklearn")
import mammoflow.detection.classification, mammoflow.detection.dense, mammoflow.networks.trained
import mammoflow.training.fitting, mammoflow.training.pretraining, mammoflow.training.resume
import mammoflow.study.provenance
print([name for name, module in sys.modules.items() if module and name.startswith(("matplotlib", "sklearn"))])
"""


def test_what_uses_keras_needs_no_package_that_is_skipped():
    path = str(next(p for p in sys.path if p.endswith("workflow/scripts")))
    ran = subprocess.run(
        [sys.executable, "-c", CODE],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": path, "PATH": "/usr/bin:/bin"},
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "[]\n"


def test_it_is_too_late_for_what_is_imported():
    with pytest.raises(ValueError, match="not imported yet, got pytest"):
        imports.begin("pytest")


@pytest.mark.parametrize("script", sorted(SCRIPTS.glob("*.py")), ids=lambda path: path.name)
def test_a_script_opens_its_log_before_it_imports_anything_heavy(script):
    before, redirected, _ = script.read_text().partition("logs.redirect(")
    if redirected:
        assert re.findall(r"^(?:from|import) .*", before, re.MULTILINE) in (
            ["from mammoflow.base import logs"],
            ["from mammoflow.base import imports, logs"],
        )
    else:
        assert script.name == "status.py"


def test_garbage_is_collected_again_when_everything_is_imported():
    code = "import gc; from mammoflow.base import imports; imports.begin(); assert not gc.isenabled(); "
    code += "imports.end(); assert gc.isenabled() and gc.get_freeze_count()"
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(SCRIPTS)})


@pytest.mark.parametrize(
    "script", [path for path in sorted(SCRIPTS.glob("*.py")) if "imports.begin(" in path.read_text()], ids=str
)
def test_a_script_that_begins_its_imports_ends_them_before_it_works(script):
    before, ended, after = script.read_text().partition("imports.end()\n")
    assert ended
    assert not re.findall(r"^(?:from|import) ", after, re.MULTILINE)
    assert "snakemake." not in before.partition("imports.begin(")[2]
