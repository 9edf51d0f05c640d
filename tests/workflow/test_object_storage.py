"""Results in a storage of Snakemake, tested with the plugin that uses a folder as storage."""

import shutil

import pytest

from mammoflow.base.contracts.splits import SPLITS

pytestmark = [
    pytest.mark.workflow,
    pytest.mark.skipif(not shutil.which("rsync"), reason="the storage plugin needs rsync"),
]
pytest.importorskip("snakemake_storage_plugin_fs")


def test_results_lie_in_the_storage_and_code_where_it_is(project, tmp_path_factory):
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
