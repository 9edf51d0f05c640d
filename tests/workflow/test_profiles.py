"""Profiles: every entry is documented, and each has the intended effect on plans and limits."""

import json
import re
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from project import REPOSITORY
from rules import rules

pytestmark = pytest.mark.workflow

PROFILES = sorted(path.parent.name for path in REPOSITORY.glob("profiles/*/config.yaml"))
ENGINES = ("slurm", "lsf", "kubernetes")


def settings(profile):
    return yaml.safe_load((REPOSITORY / "profiles" / profile / "config.yaml").read_text())


def entries(profile):
    """Keys of a profile, and those of its resources and groups, which are names of their own."""
    found = settings(profile)
    return {
        *found,
        *found.get("resources", {}),
        *found.get("default-resources", {}),
        *(key for own in found.get("set-resources", {}).values() for key in own),
        *found.get("groups", {}).values(),
    }


@pytest.mark.parametrize("profile", PROFILES)
def test_every_entry_is_explained(profile):
    explained = (REPOSITORY / "profiles/README.md").read_text()
    assert f"`{profile}" in explained
    assert [
        entry for entry in entries(profile) if f"{entry}:" not in explained and f"`{entry}`" not in explained
    ] == []


def can_plan(profile):
    """Whether its plugin is installed, and it plans without a store (see test_kubernetes.py)."""
    own = settings(profile)
    plugin = f"snakemake_executor_plugin_{own.get('executor')}"
    return "default-storage-provider" not in own and ("executor" not in own or find_spec(plugin) is not None)


def test_plans_are_the_same_with_every_profile(project):
    plans = [
        project.planned("--workflow-profile", f"profiles/{profile}")
        for profile in PROFILES
        if can_plan(profile)
    ]
    assert len(plans) >= 4
    assert plans[0]["train"] == 14
    assert all(plan == plans[0] for plan in plans)


@pytest.mark.parametrize(("engine", "queue"), [("slurm", "slurm_partition"), ("lsf", "lsf_queue")])
def test_rules_on_a_gpu_have_its_queue(engine, queue):
    on_gpu = {rule for rule, text in rules().items() if "\n        gpu=" in text}
    assert on_gpu >= {"train", "mpm"}
    assert {rule: own[queue] for rule, own in settings(engine)["set-resources"].items()} == dict.fromkeys(
        on_gpu, "gpu"
    )


def test_lsf_is_told_of_gpus_as_its_plugin_does_not_do_it():
    assert {own["lsf_extra"] for own in settings("lsf")["set-resources"].values()} == {"-gpu num=1"}


@pytest.mark.parametrize("engine", ENGINES[1:])
def test_engines_differ_only_where_they_must(engine):
    """Each profile is a file to copy and adapt, so what they share is in each."""
    slurm, other = settings("slurm"), settings(engine)
    own = {"executor", "default-resources", "set-resources", "container-image"}
    assert {
        key: value
        for key, value in other.items()
        if key not in own and not key.startswith(("default-storage-", "kubernetes-"))
    } == {key: value for key, value in slurm.items() if key not in own and not key.startswith("slurm-")}
    assert other["default-resources"]["mem_mb"] == slurm["default-resources"]["mem_mb"]


def test_what_takes_seconds_is_grouped_and_nothing_else():
    """That is all that is presented at the end, once in a study; contact sheets are for each data set."""
    presented = {rule for rule, text in rules("present").items() if f'"logs/{rule}.log"' in text}
    assert {"page", "table_ablations"} <= presented
    presented |= {"table_transfer", "figure_transfer"}  # only in studies that ask for them
    reviewed = dict.fromkeys(rules("review"), "review")
    groups = dict.fromkeys(presented, "presentation") | reviewed | {"overlay": "overlays"}
    assert settings("slurm")["groups"] == groups


def test_no_rule_asks_for_more_threads_than_a_job_may_have():
    asked = {
        rule: int(*re.findall(r"^    threads: (\d+)$", text, re.MULTILINE) or [1])
        for rule, text in rules().items()
    }
    assert max(asked.values()) == settings("slurm")["cores"]


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
