import os
import socket
import time

import pytest

from mammoflow.study import status

SUMMARY = """\
Building DAG of jobs...
output_file\tdate\trule\tlog-file(s)\tstatus\tplan
results/report.html\t-\tpage\t-\tmissing\tupdate pending
results/a/model.h5\tMon\ttrain\tlogs/train/a.log\tok\tno update
results/a/model.json\tMon\ttrain\tlogs/train/a.log\tok\tno update
results/index.csv\tMon\tindex\tlogs/index.log\tparams changed\tupdate pending
"""

PLAN = """\
Building DAG of jobs...
[Mon Nov 23 02:50:57 2026]
rule index:
    input: release.csv
    output: results/index.csv
    log: logs/index.log
    jobid: 1
Shell command: None

[Mon Nov 23 02:50:57 2026]
rule train:
    output: results/b/model.h5, results/b/model.json
    log: logs/train/b.log
    jobid: 2

[Mon Nov 23 02:50:57 2026]
localrule page:
    input: results/index.csv
    output: results/report.html
    log: logs/page.log
    jobid: 3

[Mon Nov 23 02:50:57 2026]
rule all:
    input: results/report.html
    jobid: 0
    reason: Input files updated by another job: results/report.html
Job stats:
    total: 3
    log: nothing
"""


def run(**facts):
    alive = {"host": socket.gethostname(), "pid": os.getpid(), "time": 4e9}
    return alive | {"event": "run"} | facts


def event(kind, log, time=0.0):
    return {"event": kind, "log": log, "time": time, "rule": "train"}


@pytest.fixture
def logs(tmp_path, monkeypatch):
    """Where jobs wrote their logs after they were started."""
    monkeypatch.chdir(tmp_path)
    for log in ("logs/train/a.log", "logs/train/b.log"):
        (tmp_path / log).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / log).write_text("begin\n")
    return tmp_path


def states(*records):
    return status.status(SUMMARY, PLAN, records).states


def test_without_a_journal():
    assert states() == {
        "logs/train/a.log": "done",
        "logs/index.log": "outdated",
        "logs/train/b.log": "missing",
        "logs/page.log": "missing",
    }
    assert status.status(SUMMARY, PLAN, []).rules["logs/train/b.log"] == "train"


@pytest.mark.parametrize(
    ("records", "state"),
    [
        ([run(), event("started", "logs/train/b.log")], "running"),
        ([run(), event("started", "logs/train/b.log"), event("failed", "logs/train/b.log")], "failed"),
        ([run(pid=2**22 + 1), event("started", "logs/train/b.log")], "missing"),
        ([run(host="elsewhere"), event("started", "logs/train/b.log")], "running"),
        ([run(), event("started", "logs/train/b.log"), {"event": "end"}], "missing"),
        ([run(), event("failed", "logs/train/b.log"), {"event": "end"}, run()], "failed"),
        ([run(), event("failed", "logs/train/b.log"), event("started", "logs/train/b.log")], "running"),
        ([run(), event("failed", "logs/train/b.log"), event("finished", "logs/train/b.log")], "missing"),
        ([event("started", "logs/train/b.log")], "missing"),
    ],
)
def test_the_last_that_happened_to_a_job_counts(logs, records, state):
    assert states(*records)["logs/train/b.log"] == state


def test_a_job_that_has_not_opened_its_log_since_waits(logs):
    (logs / "logs/train/b.log").unlink()
    assert states(run(), event("started", "logs/train/b.log"))["logs/train/b.log"] == "waiting"
    (logs / "logs/train/b.log").write_text("of an earlier attempt\n")
    later = time.time() + 60
    assert states(run(), event("started", "logs/train/b.log", later))["logs/train/b.log"] == "waiting"


def test_what_is_done_is_done_whatever_happened_before():
    assert states(run(), event("failed", "logs/train/a.log"))["logs/train/a.log"] == "done"


def test_what_finished_between_the_summary_and_the_plan_is_done():
    later = PLAN.replace(PLAN[PLAN.index("rule index:") : PLAN.index("rule train:")], "")
    found = status.status(SUMMARY, later, [])
    assert found.states["logs/index.log"] == "done"
    assert found.rules["logs/index.log"] == "index"
    assert len(found.states) == 4


def test_durations_come_from_benchmarks(tmp_path):
    for name, seconds in (("train/x/run-0.tsv", 10), ("train/x/run-1.tsv", 20), ("page.tsv", 1.5)):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"s\th:m:s\n{seconds}\t0:00:10\n")
    assert status.seconds(tmp_path) == {"page": [1.5], "train": [10.0, 20.0]}


def rendered(took, records=(), now=0.0, found=None):
    found = found or status.status(SUMMARY, PLAN, records)
    return status.render(found, ["index", "train", "page"], took, list(records), now)


def test_rules_in_the_order_of_the_stages():
    table = rendered({"train": [60.0, 180.0]}).splitlines()
    assert [line.split()[0] for line in table[2:5]] == ["index", "train", "page"]
    assert table[3].split() == ["train", "1", "1", "2", "min"]


def test_time_left_is_that_of_like_jobs_and_says_what_is_not_known():
    text = rendered({"train": [60.0, 180.0]})
    assert "1 of 4 jobs are done (25 %)." in text
    assert "Time left: 2 min of jobs" in text
    assert "Unknown: the duration of 2 jobs" in text
    assert "at once" not in text


def test_time_left_of_a_run_counts_its_jobs_at_once():
    """Two jobs of a minute each within the first minute: two at once; 8 min of jobs are left."""
    records = [
        run(time=0.0, host="elsewhere"),
        event("started", "logs/train/a.log", 0.0),
        event("started", "logs/other.log", 0.0),
        event("finished", "logs/train/a.log", 60.0),
        event("finished", "logs/other.log", 60.0),
    ]
    text = rendered({"train": [240.0], "index": [120.0], "page": [120.0]}, records, now=60.0)
    assert "Time left: 8 min of jobs" in text
    assert "With 2.0 jobs at a time, as in this run so far: about 4 min." in text


def test_time_in_a_queue_is_no_work(logs):
    """Ten jobs of a minute, submitted at once, ran one by one: one at once, and the tenth runs."""
    waited = [event("started", f"logs/train/{n}.log", 0.0) for n in range(9)]
    ended = [event("finished", f"logs/train/{n}.log", 60.0 * (n + 1)) for n in range(9)]
    records = [run(time=0.0, host="elsewhere"), *waited, event("started", "logs/train/b.log", 0.0), *ended]
    assert status.at_once(records, {"train": [60.0] * 9}, now=600.0) == 1.0
    assert status.at_once(records, {}, now=600.0) > 5


def test_a_finished_study_has_nothing_left():
    heading = SUMMARY.splitlines()[:2] + SUMMARY.splitlines()[3:5]
    done = status.status("\n".join(heading), "Nothing to be done", [])
    text = rendered({"train": [1.0]}, found=done)
    assert "1 of 1 jobs are done (100 %)." in text
    assert "Left" not in text


def test_a_failed_job_is_shown_with_the_end_of_its_log(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    log = tmp_path / "logs/train/b.log"
    log.parent.mkdir(parents=True)
    log.write_text("begin\nValueError: broken\n")
    text = rendered({}, [run(), event("failed", "logs/train/b.log")])
    assert "failed: train, logs/train/b.log\n    begin\n    ValueError: broken" in text


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (3599, "1 h 0 min"),
        (3600, "1 h 0 min"),
        (200_000, "2 d 7 h"),
    ],
)
def test_durations(seconds, said):
    assert status.duration(seconds) == said
