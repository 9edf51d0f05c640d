"""First stages of the tiny study with Kubernetes' plugin, a stand-in for a cluster, and a store."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from pods import Pods
from project import REPOSITORY, TINY, Project
from store import BUCKET, Store

NEEDED = ("snakemake_executor_plugin_kubernetes", "snakemake_storage_plugin_s3", "moto")
MISSING = [name for name in NEEDED if find_spec(name) is None]
SETTINGS = yaml.safe_load((REPOSITORY / "profiles/kubernetes/config.yaml").read_text())
PROFILE = ["--workflow-profile", "profiles/kubernetes"]

pytestmark = [
    pytest.mark.workflow,
    pytest.mark.skipif(bool(MISSING), reason=f"needs {', '.join(MISSING)}"),
]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    started = Store(tmp_path_factory.mktemp("store"))
    yield started
    started.stop()


@pytest.fixture
def pods(tmp_path):
    folder = tmp_path / "pods"
    folder.mkdir()
    # The plugin installs the storage's plugin in every pod, from the network.
    stub = folder / "bin" / "pip"
    stub.parent.mkdir()
    stub.write_text("#!/bin/sh\n")
    stub.chmod(0o755)
    started = Pods(folder, f"{stub.parent}:{Path(sys.executable).parent}:/usr/bin:/bin")
    yield started
    started.stop()


@pytest.fixture
def deployed(tmp_path):
    """A checkout whose study has its archive elsewhere, and its workspace in itself."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    project = Project(folder)
    project.run("data/film/phantoms.json")
    config = yaml.safe_load(TINY.read_text()) | {"workspace": "."}
    film = config["datasets"]["film"]
    del film["phantoms"]
    film["root"] = str(folder / "tiny/data/film")
    (folder / "my.yaml").write_text(yaml.safe_dump(config))
    for command in (["init", "--quiet"], ["add", "Snakefile", "workflow", "config", "envs", "my.yaml"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return project


def test_pods_get_the_code_and_write_to_the_store(deployed, pods, store):
    """The index, whose inputs are no objects, is made without a pod."""
    targets = ["results/images/film/shard-0.h5", "results/weights/natural/compact.h5"]
    ran = deployed.snakemake(
        *PROFILE, *targets, "--retries", "0", configfile="my.yaml", cores=None, env=store.env | pods.env
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr + pods.logs()
    assert set(targets) <= set(store.names())
    limits = [spec["containers"][0]["resources"]["limits"] for spec in pods.specs.values()]
    assert {(each["memory"], each.get("nvidia.com/gpu")) for each in limits} == {
        ("8000M", None),
        ("8000M", "1"),
    }
    (spec, _) = pods.specs.values()
    assert spec["containers"][0]["image"] == SETTINGS["container-image"]
    assert [volume["name"] for volume in spec["volumes"]] == ["workdir", "archives"]
    assert SETTINGS["default-storage-prefix"] == f"s3://{BUCKET}"
