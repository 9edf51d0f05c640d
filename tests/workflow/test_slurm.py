"""The tiny study, and its possible failures, on a real SLURM cluster of two nodes."""

import os
import re
import signal
import subprocess
from contextlib import contextmanager

import pandas as pd
import pytest
import yaml
from cluster import Cluster, Unavailable
from project import REPOSITORY, Project, wait_until
from results import differences

# It may install packages of the system, which stay.
ASKED = os.environ.get("MAMMOFLOW_SLURM") == "1"

pytestmark = [
    pytest.mark.workflow,
    pytest.mark.skipif(not ASKED, reason="without MAMMOFLOW_SLURM=1"),
]

SETTINGS = yaml.safe_load((REPOSITORY / "profiles/slurm/config.yaml").read_text())
ON_GPU = {rule for rule, own in SETTINGS["set-resources"].items() if own["slurm_partition"] == "gpu"}
# The tiny study has neither hard negatives nor a transfer.
OF_HARD_NEGATIVES, OF_TRANSFER = {"hard_negatives", "retrain"}, {"table_transfer", "figure_transfer"}
TOGETHER = {rule for rule, group in SETTINGS["groups"].items() if group == "presentation"} - OF_TRANSFER
REVIEW = {rule for rule, group in SETTINGS["groups"].items() if group == "review"}

# A cluster asks its users not to poll often; this one is ours.
PROFILE = ["--workflow-profile", "profiles/slurm", "--slurm-init-seconds-before-status-checks", "2"]


@pytest.fixture(scope="module")
def cluster():
    try:
        started = Cluster()
    except Unavailable as error:
        pytest.fail(f"MAMMOFLOW_SLURM=1, and there is no SLURM:\n{error}", pytrace=False)
    yield started
    started.stop()


@pytest.fixture(scope="module")
def on_cluster(cluster, tmp_path_factory):
    """A tiny study that SLURM ran, with the threads of the local one, as results of networks need."""
    project = Project(tmp_path_factory.mktemp("on-slurm"))
    laptop = yaml.safe_load((REPOSITORY / "profiles/laptop/config.yaml").read_text())
    threads = [f"{rule}={count}" for rule, count in laptop["set-threads"].items()]
    project.run(*PROFILE, "--set-threads", *threads, cores=None, env=cluster.env, timeout=2700)
    return project


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    """A project with two releases, to be indexed."""
    project = Project(tmp_path_factory.mktemp("started"))
    project.run("data/film/phantoms.json", "data/digital/phantoms.json")
    return project


def index(*datasets):
    return [f"results/index/{dataset}/images.csv" for dataset in datasets]


def test_results_are_those_of_a_local_run(finished, on_cluster):
    found = differences(finished.folder / "tiny/results", on_cluster.folder / "tiny/results")
    # Other tests asked the local study for boxes of somebody else's and for an overlay.
    on_request = ("only in one: froc/digital/external/", "only in one: figures/overlays/")
    assert [line for line in found if not line.startswith(on_request)] == []


def test_every_job_ran_once_and_the_last_steps_as_one(cluster, on_cluster):
    jobs = cluster.jobs(on_cluster.folder)
    assert {job.state for job in jobs} == {"COMPLETED"}
    logs = {
        path.relative_to(on_cluster.folder / "tiny/logs")
        for path in on_cluster.folder.glob("tiny/logs/**/*.log")
    }
    assert {log.stem for log in logs if log.parts == (log.name,)} == TOGETHER
    reviewed = [log for log in logs if log.parts[0] in REVIEW]
    # Submitted together: the page and what it shows, the interactive figures, and the review pages.
    assert len(jobs) == len(logs) - len(TOGETHER) - len(reviewed) + 3


def test_gpus_are_asked_for_by_the_rules_that_use_them_and_never_shared(cluster, on_cluster):
    jobs = cluster.jobs(on_cluster.folder)
    on_gpu = [job for job in jobs if job.gpus]
    assert {job.name.split()[0] for job in on_gpu} == ON_GPU - OF_HARD_NEGATIVES
    assert {(job.partition == "gpu") == (job.gpus == 1) for job in jobs} == {True}
    assert {(job.partition, job.node) for job in jobs} == {("cpu", "cpu-node"), ("gpu", "gpu-node")}
    at_once = [
        sum(job.gpus for job in on_gpu if job.start <= moment < job.end)
        for moment in {j.start for j in on_gpu}
    ]
    assert max(at_once) == cluster.gpus


def test_overlays_asked_for_together_are_one_job(cluster, on_cluster):
    images = pd.read_csv(on_cluster.folder / "tiny/results/index/digital/images.csv")["image_id"][:3]
    overlays = [f"results/figures/overlays/digital/compact/natural/{image}.png" for image in images]
    before = len(cluster.jobs(on_cluster.folder))
    on_cluster.run(*PROFILE, *overlays, cores=None, env=cluster.env)
    assert [job.state for job in cluster.jobs(on_cluster.folder)[before:]] == ["COMPLETED"]


def test_a_second_call_has_nothing_to_do(cluster, on_cluster):
    before = cluster.jobs(on_cluster.folder)
    assert "Nothing to be done" in on_cluster.run(*PROFILE, cores=None, env=cluster.env)
    assert cluster.jobs(on_cluster.folder) == before


def test_a_job_out_of_memory_or_time_comes_again_with_more(cluster, started):
    """Both at once, since SLURM counts time in minutes."""
    memory, limit = 'growing(4, "GB")', 'growing(2, "h")'
    rule = (
        (
            memory,
            f'lambda w, attempt: ({memory} if w.dataset == "digital" else growing(0.5, "GB"))(w, attempt)',
        ),
        (limit, f'lambda w, attempt: ({limit} if w.dataset == "film" else growing(1, "m"))(w, attempt)'),
    )
    script = (
        "params, output =",
        "if snakemake.resources.mem_mb == 500:\n"
        "    import time; held = b'x' * 700_000_000; time.sleep(300)\n"
        "if snakemake.resources.runtime == 1:\n"
        "    import time; time.sleep(300)\n"
        "params, output =",
    )
    with (
        started.edited("workflow/rules/index.smk", *rule),
        started.edited("workflow/scripts/index.py", script),
    ):
        started.run(*PROFILE, *index("film", "digital"), cores=None, env=cluster.env)
    film, digital = (
        [job for job in cluster.jobs(started.folder) if job.name == f"index {dataset}"]
        for dataset in ("film", "digital")
    )
    # Without cgroups SLURM calls the first one failed; the reason is in its log.
    assert [(job.state, job.memory) for job in film] == [("FAILED", "500M"), ("COMPLETED", "1000M")]
    said = [path.read_text() for path in started.folder.glob("tiny/.snakemake/slurm_logs/rule_index/film/*")]
    assert "exceeded memory limit" in "".join(said)
    assert [(job.state, job.limit) for job in digital] == [("TIMEOUT", "1:00"), ("COMPLETED", "2:00")]


def test_a_failed_job_is_reported_with_its_log_and_the_way_on(cluster, started):
    broken = ("params, output =", "raise ValueError('broken on purpose')\nparams, output =")
    with started.edited("workflow/scripts/index.py", broken):
        ran = started.snakemake(*PROFILE, "--retries", "0", *index("film"), cores=None, env=cluster.env)
    assert ran.returncode != 0
    report = ran.stderr[ran.stderr.index("1 job failed:") :]
    assert "index dataset=film" in report
    assert "SLURM status is: 'FAILED'" in report
    assert "tiny/logs/index/film.log says:" in report
    assert "\n    broken on purpose\n" in report
    assert "Resume with: snakemake" in report
    assert cluster.jobs(started.folder)[-1].state == "FAILED"


@contextmanager
def running(cluster, project):
    """A Snakemake whose job on the cluster has begun and would take minutes."""
    begun = project.folder / "tiny" / "begun"
    begun.unlink(missing_ok=True)
    slow = (
        "params, output =",
        f"import time; Path({begun.name!r}).touch(); time.sleep(300)\nparams, output =",
    )
    with (
        project.edited("workflow/scripts/index.py", slow),
        subprocess.Popen(
            project.command(*PROFILE, *index("film"), cores=None),
            cwd=project.folder,
            env=cluster.env,
            stderr=subprocess.PIPE,
            text=True,
            # A shell's background jobs ignore the signal, and their children with them.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        ) as process,
    ):
        wait_until(begun.exists)
        yield process


def in_queue(cluster, project):
    return cluster.jobs(project.folder, "PENDING,RUNNING,COMPLETING")


def test_an_interrupt_ends_the_jobs_and_leaves_nothing_half_made(cluster, started):
    with running(cluster, started) as process:
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=180)[1]
    assert process.returncode != 0
    assert "The run was stopped." in said
    wait_until(lambda: not in_queue(cluster, started))
    assert cluster.jobs(started.folder)[-1].state == "CANCELLED"
    assert not list(started.folder.glob("tiny/.snakemake/locks/*"))
    assert not (started.folder / "tiny" / index("film")[0]).exists()
    started.run(*PROFILE, *index("film"), cores=None, env=cluster.env)


def test_after_a_kill_the_guides_commands_end_the_jobs_left_and_go_on(cluster, started):
    with running(cluster, started) as process:
        process.kill()
    assert [job.state for job in in_queue(cluster, started)] == ["RUNNING"]
    (cancel,) = re.findall("^scancel .*", (REPOSITORY / "docs/cluster.md").read_text(), re.MULTILINE)
    subprocess.run(["bash", "-c", cancel], env=cluster.env, check=True)
    wait_until(lambda: not in_queue(cluster, started))
    assert (
        "cannot be locked" in started.snakemake(*PROFILE, *index("film"), cores=None, env=cluster.env).stderr
    )
    started.run(*PROFILE, "--unlock", cores=None, env=cluster.env)
    started.run(*PROFILE, *index("film"), cores=None, env=cluster.env)
    assert cluster.jobs(started.folder)[-1].state == "COMPLETED"
