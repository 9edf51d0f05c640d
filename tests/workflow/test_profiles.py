"""Profiles: every entry is explained, and each plans and limits what it should."""

import json
from pathlib import Path

import pytest
import yaml
from project import REPOSITORY

pytestmark = pytest.mark.workflow

PROFILES = sorted(path.parent.name for path in REPOSITORY.glob("profiles/*/config.yaml"))


def entries(profile):
    """Keys of a profile, and those of its resources, which are names of their own."""
    settings = yaml.safe_load((REPOSITORY / "profiles" / profile / "config.yaml").read_text())
    return {*settings, *settings.get("resources", {}), *settings.get("default-resources", {})}


@pytest.mark.parametrize("profile", PROFILES)
def test_every_entry_is_explained(profile):
    explained = (REPOSITORY / "profiles/README.md").read_text()
    assert f"`{profile}" in explained
    assert [
        entry for entry in entries(profile) if f"{entry}:" not in explained and f"`{entry}`" not in explained
    ] == []


def test_plans_are_the_same_with_every_profile(project):
    plans = [project.planned("--workflow-profile", f"profiles/{profile}") for profile in PROFILES]
    assert plans[0]["train"] == 14
    assert all(plan == plans[0] for plan in plans)


def test_rules_on_a_gpu_have_its_partition():
    slurm = yaml.safe_load((REPOSITORY / "profiles/slurm/config.yaml").read_text())
    rules = "".join(path.read_text() for path in sorted(REPOSITORY.glob("workflow/rules/*.smk"))).split(
        "\nrule "
    )[1:]
    on_gpu = {rule.split(":")[0] for rule in rules if "\n        gpu=" in rule}
    assert {
        rule for rule, set_to in slurm["set-resources"].items() if set_to == {"slurm_partition": "gpu"}
    } == on_gpu


@pytest.mark.parametrize(
    ("arguments", "most"),
    [
        (["--workflow-profile", "profiles/workstation"], 1),
        (["--resources", "gpu=1", "--cores", "12"], 1),
        (["--cores", "12"], 3),
    ],
)
def test_one_gpu_is_used_by_one_job_at_a_time(project, arguments, most):
    """Four jobs that take four threads of twelve each; without the limit, three run at once."""
    (project.folder / "workflow/scripts/pretrain.py").write_text(
        "from pathlib import Path\n"
        "import time\n"
        "time.sleep(2)\n"
        "for path in [*snakemake.output, *snakemake.log]:\n"
        "    Path(path).touch()\n"
    )
    weights = [
        f"results/weights/natural/{name}.h5" for name in ("compact", "vgg16", "resnet50", "inceptionv3")
    ]
    project.run(*arguments, *weights, configfile="config/demo.yaml", cores=None)
    now = seen = 0
    for line in Path(project.folder, "demo/logs/journal.jsonl").read_text().splitlines():
        now += {"started": 1, "finished": -1}.get(json.loads(line)["event"], 0)
        seen = max(seen, now)
    assert seen == most
