import os
import shlex
import time
from pathlib import Path

import pytest

from mammoflow.study import workspace


def test_a_folder_that_can_be_written_is_passed_over(tmp_path):
    workspace.check(tmp_path)
    workspace.check_results(tmp_path)


def test_a_read_only_folder_is_named(disk, tmp_path):
    closed = disk(tmp_path / "study", "4m")
    closed.close()
    with pytest.raises(workspace.WorkspaceError, match=r"can be written, got .*study, which is read-only"):
        workspace.check(closed.folder)


@pytest.mark.parametrize("name", ["results", "logs"])
def test_so_is_one_within(disk, tmp_path, name):
    disk(tmp_path / name, "4m").close()
    workspace.check(tmp_path)
    with pytest.raises(workspace.WorkspaceError, match=f"{name}, which is read-only"):
        workspace.check_results(tmp_path)


def test_a_store_that_refuses_to_answer_is_named_in_one_line():
    def refuse():
        raise RuntimeError("An error occurred (403)\nwhen calling HeadObject: Forbidden")

    workspace.check_store(lambda: False, "s3://study")
    with pytest.raises(workspace.WorkspaceError) as caught:
        workspace.check_store(refuse, "s3://study")
    assert str(caught.value) == (
        "s3://study: expected a store that answers, got RuntimeError (An error occurred (403) when calling "
        "HeadObject: Forbidden); check its address and the credentials"
    )


@pytest.mark.parametrize("name", ["{dataset}", "a{b", "a}b"])
def test_a_checkout_with_braces_is_refused(name):
    with pytest.raises(workspace.WorkspaceError, match="expected a folder without braces in its path, got /"):
        workspace.check_checkout(Path("/home") / name / "mammoflow")


@pytest.mark.parametrize("path", ["/usr/bin/python3", "/my project [1]/python3", '/it\'s "my" $HOME/python3'])
def test_the_interpreter_is_one_word_of_a_shell_however_often_it_is_read(path):
    workspace.check_checkout(Path(path))
    once = workspace.shell_word(path)
    assert shlex.split(once) == [path]
    assert workspace.shell_word(once) == once


def test_maps_of_an_earlier_version_are_named(tmp_path):
    maps = tmp_path / "results/mpm/digital/compact/natural"
    (maps / "fold-0").mkdir(parents=True)
    (maps / "fold-0/shard-0.h5").touch()
    workspace.check_results(tmp_path)
    (maps / "fold-1.h5").touch()
    with pytest.raises(
        workspace.WorkspaceError,
        match=r"^results/mpm/digital/compact/natural/fold-1.h5: .* delete results/mpm and results/detections",
    ):
        workspace.check_results(tmp_path)


def test_a_full_disk_is_told(disk, tmp_path):
    full = disk(tmp_path / "study", "4m")
    full.fill(500_000)
    with pytest.raises(workspace.WorkspaceError, match=r"expected at least 1 MB free .* got 0\.5 MB"):
        workspace.check(full.folder)


def test_the_file_furthest_ahead_of_the_clock_is_named(tmp_path):
    now = time.time()
    paths = [str(tmp_path / name) for name in ("old", "skewed", "tomorrow", "missing")]
    for path, date in zip(paths, (now - 1e6, now + 3600, now + 86400), strict=False):
        open(path, "w").close()
        os.utime(path, (date, date))
    with pytest.raises(
        workspace.WorkspaceError, match=r"tomorrow: .* 1 day, 0:00:00 ahead .*\(2 such files\)"
    ):
        workspace.check_dates(paths, now)
    workspace.check_dates([paths[0], paths[3]], now)
