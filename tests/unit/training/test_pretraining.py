import re
import socket

import numpy as np
import pytest

from mammoflow.base import storage
from mammoflow.networks import backbones, weights
from mammoflow.training import pretraining
from mammoflow.training.pretraining import Pretext

QUICK = Pretext(steps=3, batch=8, learning_rate=1e-3)


def test_photographs_are_grey_and_come_with_the_package(monkeypatch):
    def refuse(*_):
        raise AssertionError("photographs must not need a network")

    monkeypatch.setattr(socket, "create_connection", refuse)
    images = pretraining.photographs()
    assert len(images) == len(pretraining.PHOTOGRAPHS)
    for image in images:
        assert (image.ndim, image.dtype) == (2, np.uint16)
        assert np.ptp(image) > 2**15


def test_crops_come_from_the_photograph_they_name():
    images = [np.full((50, 60), 10, np.uint16), np.full((20, 90), 20, np.uint16)]
    patches, sources = pretraining.crops(images, 32, 30, np.random.default_rng(0))
    assert patches.shape == (30, 32, 32)
    np.testing.assert_array_equal(patches[:, 0, 0], np.array([10, 20])[sources])
    assert set(sources) == {0, 1}


def test_pretraining_repeats_and_changes_the_backbone():
    first, accuracy = pretraining.pretrain("compact", 32, QUICK, "float32", None, seed=4)
    again, _ = pretraining.pretrain("compact", 32, QUICK, "float32", None, seed=4)
    for ours, same in zip(first.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, same)
    assert 0 <= accuracy <= 1


def obtain(source, path, backbone="compact"):
    return weights.obtain("mine", backbone, 32, source, path)


def test_pretrained_backbones_travel_by_file(tmp_path):
    model, _ = pretraining.pretrain("compact", 32, QUICK, "float32", None, seed=4)
    backbones.save_notop(model, tmp_path / "compact.h5")
    other = backbones.build("compact", 32)
    backbones.load_notop(other, tmp_path / "compact.h5")
    for ours, theirs in zip(backbones.body(model).weights, backbones.body(other).weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_file_is_adopted_only_with_its_digest(tmp_path):
    given = tmp_path / "given.h5"
    backbones.save_notop(backbones.build("compact", 32), given)
    entry = {"path": str(given), "sha256": storage.sha256(given)}
    obtain({"source": "files", "files": {"compact": entry}}, tmp_path / "out.h5")
    assert (tmp_path / "out.h5").read_bytes() == given.read_bytes()
    wrong = {"source": "files", "files": {"compact": entry | {"sha256": "0" * 64}}}
    with pytest.raises(
        ValueError, match=re.escape(f"weights.mine.files.compact: {given}: expected sha256 000")
    ):
        obtain(wrong, tmp_path / "out.h5")
    with pytest.raises(ValueError, match=r"weights\.mine\.files: expected a file for vgg16, got compact"):
        obtain({"source": "files", "files": {"compact": entry}}, tmp_path / "out.h5", "vgg16")


def test_keras_without_a_network_says_what_to_do(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise Exception("URL fetch failure")

    monkeypatch.setattr(backbones, "build", fail)
    with pytest.raises(ValueError, match=r"weights\.mine: expected to download .* 'source: files'"):
        obtain({"source": "keras"}, tmp_path / "out.h5", "vgg16")


def test_keras_has_no_weights_of_compact(tmp_path):
    with pytest.raises(
        ValueError, match=r"weights\.mine: expected a backbone for which Keras has .*, got compact"
    ):
        obtain({"source": "keras"}, tmp_path / "out.h5")


def test_unknown_source_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"weights\.mine\.source: expected keras or files, got 'hub'"):
        obtain({"source": "hub"}, tmp_path / "out.h5")
