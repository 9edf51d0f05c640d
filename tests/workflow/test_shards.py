"""The number of shards of the images, and of jobs that map a fold, changes no result."""

import shutil

import pytest
from project import Project
from results import differences

pytestmark = pytest.mark.workflow

CHAIN = "digital/compact/natural"
# The folders whose files do not depend on how the work was divided.
SAME = ("candidates", "froc")


def test_the_number_of_jobs_changes_no_result(finished, tmp_path):
    project = Project(tmp_path)
    shutil.copytree(finished.folder / "tiny", project.folder / "tiny", dirs_exist_ok=True)
    settings = {"detection": {"shards": 2}}
    targets = [f"results/froc/{CHAIN}/points.csv", f"results/bundles/{CHAIN}.mammoflow"]
    planned = project.planned("--workflow-profile", "profiles/laptop", *targets, settings=settings)
    assert planned == {"mpm": 6, "detections": 6, "candidates": 6, "scores": 3, "froc": 1, "bundle": 1}
    results = project.folder / "tiny/results"
    for folder in ("mpm", "detections", *SAME):
        shutil.rmtree(results / folder / CHAIN)
    project.run(*targets, settings=settings)
    expected = finished.folder / "tiny/results"
    for folder in SAME:
        changed = differences(results / folder / CHAIN, expected / folder / CHAIN)
        assert [line for line in changed if "/shard-" not in line] == []
    assert differences(results / "bundles", expected / "bundles") == []


def test_a_lost_shard_is_named_before_any_job_starts(finished, tmp_path):
    project = Project(tmp_path)
    shutil.copytree(finished.folder / "tiny", project.folder / "tiny", dirs_exist_ok=True)
    lost, settings = "results/images/digital/shard-1.h5", {"detection": {"stride": 24}}
    (project.folder / "tiny" / lost).unlink()
    target = f"results/mpm/{CHAIN}/fold-0/shard-0.h5"
    ran = project.snakemake(target, settings=settings)
    assert ran.returncode
    said = f"{lost}: expected the images that an earlier run stored, got none (1 such files); "
    assert f"{said}make them again first: snakemake … {lost}" in ran.stdout + ran.stderr
    assert "Execute" not in ran.stdout + ran.stderr
    project.run(lost)
    assert (project.folder / "tiny" / lost).is_file()
    # It is what it was, so nothing that was made from it runs again.
    plan = ("--workflow-profile", "profiles/laptop", target)
    assert project.planned(*plan) == {}
    assert project.planned(*plan, settings=settings) == {"mpm": 1}


def test_the_number_of_shards_changes_no_bank(finished, tmp_path):
    project = Project(tmp_path)
    shutil.copytree(finished.folder / "tiny", project.folder / "tiny", dirs_exist_ok=True)
    results, expected = project.folder / "tiny/results", finished.folder / "tiny/results"
    for folder in ("images", "splits", "patches"):
        shutil.rmtree(results / folder)
    target = "results/patches/digital/stored.h5"
    project.run(target, settings={"datasets": {"digital": {"shards": 5}}})
    assert len(list(results.glob("images/digital/shard-*.h5"))) == 5
    for folder, file in (("splits", "digital.csv"), ("patches/digital", "stored.h5")):
        changed = differences(results / folder, expected / folder)
        assert [line for line in changed if line.startswith(file)] == []
