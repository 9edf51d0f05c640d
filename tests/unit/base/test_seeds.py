import subprocess
import sys

import numpy as np

from mammoflow.base import seeds


def test_equal_in_another_process():
    code = "from mammoflow.base import seeds; print(seeds.integer(7, 'train', 'vgg16', 3))"
    path = str(next(p for p in sys.path if p.endswith("workflow/scripts")))
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": path}
    ).stdout
    assert int(printed) == seeds.integer(7, "train", "vgg16", 3)


def test_every_label_and_the_root_matter():
    drawn = {
        seeds.integer(*labels)
        for labels in [(0, "a"), (1, "a"), (0, "b"), (0, "a", "b"), (0, "ab"), (0, "a", 1), (0, "a", 11)]
    }
    assert len(drawn) == 7


def test_generators_of_one_purpose_draw_the_same():
    first, second = seeds.generator(1, "x").random(5), seeds.generator(1, "x").random(5)
    np.testing.assert_array_equal(first, second)
    assert 0 <= seeds.integer(1, "x") < 2**31
