"""Results in a storage of Snakemake: a folder, and a store that speaks S3."""

import os
import re
import shutil
import subprocess

import pytest
from project import Project
from store import BUCKET, Store

from mammoflow.base.contracts.splits import SPLITS

pytestmark = pytest.mark.workflow


def test_results_lie_in_the_folder_and_code_where_it_is(project, tmp_path_factory):
    if not shutil.which("rsync"):
        pytest.skip("the storage plugin needs rsync")
    bucket = tmp_path_factory.mktemp("bucket")
    store = ("--default-storage-provider", "fs", "--default-storage-prefix", bucket)
    arguments = (*store, "results/splits/film.csv")
    project.run(*arguments)
    assert not SPLITS.read(bucket / "results/splits/film.csv").empty
    assert (bucket / "results/images/film/shard-1.h5").is_file()
    assert not (project.folder / "tiny/results").exists()
    assert not list(bucket.rglob("*.py"))
    assert project.planned(*arguments) == {}
    with project.edited("workflow/scripts/mammoflow/patches/leakage.py", ("got none", "got nothing")):
        assert project.planned(*arguments) == {"splits": 1}


def test_jobs_of_a_model_fetch_the_images_that_they_map(project, tmp_path_factory):
    if not shutil.which("rsync"):
        pytest.skip("the storage plugin needs rsync")
    bucket = tmp_path_factory.mktemp("bucket")
    store = ("--default-storage-provider", "fs", "--default-storage-prefix", bucket)
    candidates = "results/candidates/digital/compact/natural/fold-0/shard-0.parquet"
    planned = project.run("--dry-run", *store, candidates)
    for rule in ("mpm", "candidates"):
        (inputs,) = re.findall(rf"^rule {rule}:\n +input: (.*)$", planned, re.MULTILINE)
        assert set(re.findall(r"images/digital/shard-\d\.h5", inputs)) == {
            "images/digital/shard-0.h5",
            "images/digital/shard-1.h5",
        }


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    pytest.importorskip("moto")
    started = Store(tmp_path_factory.mktemp("store"))
    yield started
    started.stop()


@pytest.fixture(scope="module")
def stored(store, tmp_path_factory):
    """A project whose first results are in the store."""
    project = Project(tmp_path_factory.mktemp("in-store"))
    project.run(*S3, SPLIT, env=store.env)
    return project


S3 = ("--default-storage-provider", "s3", "--default-storage-prefix", f"s3://{BUCKET}")
SPLIT = "results/splits/film.csv"


def test_results_lie_in_the_store(store, stored, tmp_path):
    names = store.names()
    assert {SPLIT, "results/images/film/shard-1.h5", "logs/splits/film.log"} <= set(names)
    assert not any(name.endswith(".py") for name in names)
    store.objects.download_file(BUCKET, SPLIT, str(tmp_path / "splits.csv"))
    assert not SPLITS.read(tmp_path / "splits.csv").empty
    assert not (stored.folder / "tiny/results").exists()


def test_only_what_an_edit_concerns_runs_again(store, stored):
    assert stored.planned(*S3, SPLIT, env=store.env) == {}
    with stored.edited("workflow/scripts/mammoflow/patches/leakage.py", ("got none", "got nothing")):
        assert stored.planned(*S3, SPLIT, env=store.env) == {"splits": 1}


def test_an_object_that_went_away_is_made_again(store, stored):
    before = set(store.names())
    for name in ("results/images/film/shard-0.h5", "results/images/film/shard-0.csv", SPLIT):
        store.objects.delete_object(Bucket=BUCKET, Key=name)
    assert stored.planned(*S3, SPLIT, env=store.env) == {"images": 1, "splits": 1}
    stored.run(*S3, SPLIT, env=store.env)
    assert set(store.names()) == before


@pytest.mark.parametrize(
    ("key", "address", "said"),
    [
        ("nobody", None, "Forbidden"),
        ("nobody", "http://127.0.0.1:9", "Could not connect to the endpoint URL"),
    ],
)
def test_a_store_that_does_not_answer_is_named_at_once(store, stored, key, address, said):
    ran = stored.snakemake(*S3, SPLIT, env=store.environment(key, "wrong", address))
    assert ran.returncode != 0
    lines = [
        line for line in (ran.stdout + ran.stderr).splitlines() if "expected a store that answers" in line
    ]
    assert len(lines) == 1
    assert lines[0].startswith(f"s3://{BUCKET}: ")
    assert said in lines[0]
    assert "Traceback" not in ran.stderr


def test_a_run_killed_while_it_uploads_goes_on(store, stored):
    """Objects of S3 appear whole or not at all."""
    with stored.edited("workflow/scripts/mammoflow/patches/leakage.py", ("got none", "got nothing")):
        process = subprocess.Popen(
            stored.command(*S3, "results/patches/film/stored.h5"),
            cwd=stored.folder,
            env=store.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        for line in process.stdout:
            if "Storing in storage" in line and "stored.h5" in line:
                os.killpg(process.pid, 9)
                break
        process.communicate()
        assert process.returncode != 0
        stored.run("--unlock", *S3, env=store.env)
        stored.run("--rerun-incomplete", *S3, "results/patches/film/stored.h5", env=store.env)
        assert "results/patches/film/stored.h5" in store.names()
        assert stored.planned(*S3, "results/patches/film/stored.h5", env=store.env) == {}
