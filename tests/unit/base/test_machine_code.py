import os
import subprocess
import sys

import numba.core.caching
from configs import SCRIPTS

from mammoflow.base.machine_code import compiled

MODULE = """
from mammoflow.base.machine_code import compiled


@compiled()
def twice(number):
    return 2 * number


assert twice(21) == 42
print(sum(twice.stats.cache_hits.values()), sum(twice.stats.cache_misses.values()))
"""


def test_the_next_process_compiles_nothing(tmp_path):
    (tmp_path / "module.py").write_text(MODULE)
    paths = os.pathsep.join([str(SCRIPTS), str(tmp_path)])
    said = [
        subprocess.run(
            [sys.executable, "-c", "import module"],
            env={"PYTHONPATH": paths},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for _ in range(2)
    ]
    assert said == ["0 1\n", "1 0\n"]


def test_without_a_folder_that_can_be_written_it_compiles_all_the_same(monkeypatch):
    monkeypatch.setattr(numba.core.caching.CacheImpl, "_locator_classes", [])

    @compiled()
    def twice(number):
        return 2 * number

    assert twice(21) == 42
    assert twice.stats.cache_path is None
