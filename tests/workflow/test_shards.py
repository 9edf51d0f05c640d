"""Maps and boxes in several jobs a fold give the results of one job a fold."""

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
