"""`mammoflow download imagenet`: the files that Keras would fetch, and settings that name them."""

import hashlib
import re

import nbia
import pytest
import yaml
from configs import SCHEMA, laid_over, load

from mammoflow.base import storage
from mammoflow.commands import main
from mammoflow.exchange import fetching, imagenet
from mammoflow.networks import architectures
from mammoflow.study import configuration

FILES = {
    f"keras/{name}_notop.h5": f"weights of {name}".encode() for name in ("inceptionv3", "resnet50", "vgg16")
}


@pytest.fixture
def service(monkeypatch):
    monkeypatch.setattr(fetching, "PAUSE_S", 0.01)
    with nbia.Service({}, dict(FILES)) as running:
        pinned = [
            imagenet.Pinned(name[6:-9], name[6:], f"{running.base}/{name}", hashlib.md5(content).hexdigest())
            for name, content in FILES.items()
        ]
        monkeypatch.setattr(imagenet, "pinned", lambda: pinned)
        yield running


def download(to, *options):
    return main.main(["download", "imagenet", "--to", str(to), *options])


def test_keras_names_the_files_of_every_network_that_it_has_weights_of():
    pinned = imagenet.pinned()
    assert [each.network for each in pinned] == ["inceptionv3", "resnet50", "vgg16"]
    assert [each.network for each in pinned] == [
        name for name in architectures.names() if architectures.network(name).imagenet
    ]
    for each in pinned:
        assert each.name.endswith("_notop.h5")
        assert each.url.startswith("https://")
        assert each.url.endswith(f"/{each.name}")
        assert re.fullmatch("[0-9a-f]{32}", each.md5)


def test_the_files_come_with_settings_that_a_study_accepts(service, tmp_path, capsys):
    to = tmp_path / "it's: weights"
    assert download(to) == 0
    assert "0 of 3 files or series are there; 0.0 MB to fetch" in capsys.readouterr().out
    assert not to.exists()
    assert download(to, "--yes") == 0
    assert {path.name: path.read_bytes() for path in to.glob("*.h5")} == {
        name[6:]: content for name, content in FILES.items()
    }
    settings = yaml.safe_load((to / "imagenet.yaml").read_text())
    files = settings["weights"]["imagenet"]["files"]
    assert files["vgg16"] == {
        "path": str(to / "vgg16_notop.h5"),
        "sha256": storage.sha256(to / "vgg16_notop.h5"),
    }
    configuration.check(laid_over(load("config.yaml", "demo.yaml"), settings), SCHEMA)
    service.asked.clear()
    assert download(to, "--yes") == 0
    assert not service.asked


def test_a_mirror_may_have_them(service, tmp_path):
    service.files |= {f"mirror/{name[6:]}": content for name, content in FILES.items()}
    assert download(tmp_path / "got", "--yes", "--from", f"{service.base}/mirror/") == 0
    assert (tmp_path / "got/imagenet.yaml").is_file()


@pytest.mark.parametrize("fault", ["503", "hangs up"])
def test_what_fails_once_is_fetched_in_the_end(service, tmp_path, fault):
    service.faults["vgg16_notop.h5"] = [fault, fault]
    assert download(tmp_path / "got", "--yes") == 0


def test_a_file_that_keras_would_not_accept_is_not_kept(service, tmp_path, capsys):
    service.files["keras/vgg16_notop.h5"] = b"other weights"
    assert download(tmp_path / "got", "--yes") == 3
    (sentence,) = capsys.readouterr().err.splitlines()
    assert f"got a file with MD5 {hashlib.md5(b'other weights').hexdigest()}, where Keras expects" in sentence
    assert sorted(path.name for path in (tmp_path / "got").iterdir()) == [
        "inceptionv3_notop.h5",
        "resnet50_notop.h5",
    ]


def test_a_file_that_is_there_is_compared_too(service, tmp_path, capsys):
    (tmp_path / "vgg16_notop.h5").write_bytes(b"other weights")
    assert download(tmp_path, "--yes") == 1
    (sentence,) = capsys.readouterr().err.splitlines()
    assert f"vgg16_notop.h5: a file with MD5 {hashlib.md5(b'other weights').hexdigest()}, where" in sentence
    assert [path.name for path in tmp_path.iterdir()] == ["vgg16_notop.h5"]
    (tmp_path / "vgg16_notop.h5").unlink()
    assert download(tmp_path, "--yes") == 0
