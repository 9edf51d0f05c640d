"""A model is one file: what was written is read, and every other file is refused with one sentence."""

import hashlib
import json
import random
import re
import zipfile

import model_files
import pytest

from mammoflow.bundles import licences, manifest, model_card, model_file


@pytest.fixture
def path(tmp_path):
    return model_files.write(tmp_path / "a.mammoflow", weights=b"weights" * 500)


def sealed(path):
    """Add the digest to an archive whose comment has room for it, as a forger would."""
    content = path.read_bytes()[:-71]
    path.write_bytes(content + b"sha256:" + hashlib.sha256(content).hexdigest().encode())


def forged(path, members, **options):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content, **options)
        archive.comment = b"\0" * 71
    sealed(path)
    return path


def contents(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def refusal(path):
    with pytest.raises(ValueError, match=re.escape(str(path))) as caught:
        model_file.open_model(path).read(manifest.weights(0))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_was_written_is_read(path):
    model = model_file.open_model(path)
    assert {key: model.manifest[key] for key in model_files.facts()} == model_files.facts()
    assert model.read(manifest.weights(0)) == b"weights" * 500
    assert model.digest == hashlib.sha256(path.read_bytes()[:-71]).hexdigest()
    with zipfile.ZipFile(path) as archive:  # any program can look into it
        assert archive.testzip() is None


def test_the_same_content_gives_the_same_bytes(path, tmp_path):
    again = model_files.write(tmp_path / "b.mammoflow", weights=b"weights" * 500)
    assert again.read_bytes() == path.read_bytes()


def test_every_changed_byte_is_noticed(path):
    content = path.read_bytes()
    some = random.Random(0).sample(range(len(content)), 150)
    for place in (*some, 0, 10, len(content) - 80, len(content) - 1):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        refusal(path)


@pytest.mark.parametrize("left", [0, 3, 70, 500, -1])
def test_a_cut_file(path, left):
    path.write_bytes(path.read_bytes()[:left])
    refusal(path)


def test_files_of_other_kinds(tmp_path):
    text, archive = tmp_path / "text.mammoflow", tmp_path / "archive.mammoflow"
    text.write_text("a text")
    with zipfile.ZipFile(archive, "w") as other:
        other.writestr("a", "b")
    assert "another kind" in refusal(text)
    assert "of another kind" in refusal(archive)
    assert "found nothing" in refusal(tmp_path / "none")
    assert "found a folder" in refusal(tmp_path)


def test_another_version_says_which(path):
    members = contents(path)
    facts = json.loads(members[manifest.MANIFEST])
    members[manifest.MANIFEST] = json.dumps(facts | {"version": 2})
    assert "got version 2; install the mammoflow that wrote it" in refusal(forged(path, members))


def test_a_manifest_that_asks_for_something_else(path):
    members = contents(path)
    facts = json.loads(members[manifest.MANIFEST])
    for changed in (
        {"network": facts["network"] | {"backbone": "../../os"}},
        {"runs": [0, 1]},
        {"input": facts["input"] | {"resolution": {"mm": -1}}},
        {"extra": 1},
    ):
        members[manifest.MANIFEST] = json.dumps(facts | changed)
        assert "manifest" in refusal(forged(path, members))
    members[manifest.MANIFEST] = "[" * 100_000
    assert "expected a manifest in JSON" in refusal(forged(path, members))


def test_members_that_no_model_has(path):
    for name in ("../../evil", "/etc/passwd", "weights/run-0.weights.h5/../x", "code.py"):
        assert "which no model has" in refusal(forged(path, contents(path) | {name: b""}))


def test_a_bomb_is_not_unpacked(path):
    bomb = contents(path) | {manifest.MANIFEST: b"\0" * (2**24 + 1)}
    said = refusal(forged(path, bomb, compress_type=zipfile.ZIP_DEFLATED))
    assert path.stat().st_size < 2**17
    assert "expected 'manifest.json' with at most 16,777,216 bytes" in said


def test_another_content_than_the_manifest_lists(path):
    members = contents(path)
    members[manifest.weights(0)] = b"weightS" * 500
    assert "as listed in the manifest" in refusal(forged(path, members))


def test_the_card_has_the_facts():
    text = model_card.card(model_files.facts())
    assert "| 0.5 | 0.4 | 0.5 | 0.5 | 0.4 | – |" in text
    assert "| INbreast | may not be passed on | only by who may decide it |" in text
    assert "10 validation images of the fold (5 masses in 4 of them, 5 patients)" in text


def test_a_licence_that_forbids_sharing_is_asked_for_by_name():
    training = model_files.facts()["training"]
    with pytest.raises(ValueError, match="--licence 'INbreast'"):
        licences.require_named(training, [])
    licences.require_named(training, ["INbreast"])


def test_every_archive_and_source_of_weights_has_a_licence():
    from mammoflow.archives import ARCHIVES

    assert set(licences.ARCHIVES) == set(ARCHIVES)
    phantoms = licences.of_data({"archive": "inbreast", "phantoms": {"cohort": "digital"}})
    assert phantoms == licences.PHANTOMS
    own = {"mine": {"data": "ours", "terms": "free", "share": True}}
    assert licences.entry("mine", licences.of_data({"archive": "inbreast"}), own)["share"]
