import json
import re
import subprocess
from importlib import metadata
from pathlib import Path

import pandas as pd

from mammoflow.base import storage
from mammoflow.study import provenance

REPOSITORY = Path(__file__).resolve().parents[3]
STORED = pd.DataFrame({"image_id": ["a", "b"], "stored": [True, False], "reason": ["", "truncated"]})
LESIONS = pd.DataFrame({"image_id": ["a", "a"], "lesion_id": ["1", "2"], "y0": [3, 4]})


def test_record_says_what_ran_where():
    record = json.loads(json.dumps(provenance.record(threads=3)))
    assert record["threads"] == 3
    assert record["packages"]["keras"] == metadata.version("keras")
    assert record["packages"]["numpy"] == metadata.version("numpy")
    assert record["decoders"]["pydicom"] == metadata.version("pydicom")
    assert record["locks"]["cpu.lock"] == storage.sha256(REPOSITORY / "envs/cpu.lock")
    assert record["processor"]
    assert record["processors_available"] >= 1


def test_commit_and_dirty_flag_are_gits(tmp_path, monkeypatch):
    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", "-C", tmp_path, *identity, *arguments], check=True, capture_output=True)

    monkeypatch.setattr(provenance, "_REPOSITORY", tmp_path)
    assert (provenance.record()["commit"], provenance.record()["dirty"]) == ("", False)
    git("init")
    (tmp_path / "file").write_text("one")
    git("add", "file")
    git("commit", "-m", "first")
    assert re.fullmatch("[0-9a-f]{40}", provenance.record()["commit"])
    assert provenance.record()["dirty"] is False
    (tmp_path / "file").write_text("two")
    assert provenance.record()["dirty"] is True


def test_fingerprint_depends_on_every_cell_and_on_no_order():
    known = provenance.fingerprint(STORED, LESIONS)
    assert known == provenance.fingerprint(STORED[::-1], LESIONS[::-1])
    assert known == provenance.fingerprint(STORED[["reason", "image_id", "stored"]], LESIONS)
    others = [
        provenance.fingerprint(STORED.assign(reason=["", "size"]), LESIONS),
        provenance.fingerprint(STORED.assign(pixels_sha256=["x", ""]), LESIONS),
        provenance.fingerprint(STORED, LESIONS.assign(y0=[3, 5])),
        provenance.fingerprint(STORED, LESIONS[:1]),
    ]
    assert len({known, *others}) == 5
