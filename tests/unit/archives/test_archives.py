import json
import subprocess
import sys
from pathlib import Path

import pytest

from mammoflow import archives

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = ROOT / "workflow" / "schemas" / "config.schema.json"


@pytest.mark.parametrize("name", archives.ARCHIVES)
def test_an_archive_offers_what_stages_use(name):
    module = archives.archive(name)
    assert all(callable(getattr(module, function)) for function in ("index", "read_image", "lesion_mask"))


def test_every_archive_of_the_schema_has_a_module():
    archive = json.loads(SCHEMA.read_text())["$defs"]["dataset"]["properties"]["archive"]
    assert sorted(archive["enum"]) == sorted(archives.ARCHIVES)


def test_only_the_archive_that_is_named_is_imported():
    program = (
        "import sys; from mammoflow import archives; archives.archive('inbreast'); "
        "print([name for name in archives.ARCHIVES.values() if f'mammoflow.archives.{name}' in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT / "workflow/scripts",
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == "['inbreast']"
