"""Compares finding boxes at 1000 thresholds in one pass with thresholding and labelling at each level.

    python benchmarks/boxes.py --shape 1664 1280

Prints both times, their ratio, and the peak memory of the single pass; the boxes must be identical.
"""

import argparse
import resource
import sys
import time
from pathlib import Path

import numpy as np
from scipy import ndimage
from skimage.measure import label

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow" / "scripts"))

from mammoflow.detection import components, mpm

LEVELS = 1000


def example(rows: int, columns: int) -> np.ndarray:
    """Quantised map of unrelated window probabilities, many of them small, in half an ellipse."""
    centres = [np.arange(112, size - 111, 56) for size in (rows, columns)]
    probabilities = np.random.default_rng(0).random([len(axis) for axis in centres]) ** 3
    y, x = np.ogrid[:rows, :columns]
    breast = (2 * y / rows - 1) ** 2 + (1.25 * x / columns) ** 2 < 1
    return components.quantise(mpm.probability_map(probabilities, *centres, breast), LEVELS)


def one_pass(quantised: np.ndarray) -> set[tuple[int, ...]]:
    found = components.find(quantised)
    return {
        (level, *box.tolist())
        for box, first, last in zip(found.boxes, found.first, found.last, strict=True)
        for level in range(first, last + 1)
    }


def level_by_level(quantised: np.ndarray) -> set[tuple[int, ...]]:
    return {
        (level, y.start, x.start, y.stop, x.stop)
        for level in range(int(quantised.max()))
        for y, x in ndimage.find_objects(label(quantised > level, connectivity=2))
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", type=int, nargs=2, default=(1664, 1280), metavar=("ROWS", "COLUMNS"))
    shape = parser.parse_args().shape
    quantised = example(*shape)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    components.find(quantised)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    components.find(quantised)
    ours = time.perf_counter() - start
    start = time.perf_counter()
    reference = level_by_level(quantised)
    theirs = time.perf_counter() - start
    if one_pass(quantised) != reference:
        raise SystemExit("the boxes differ")
    print(f"map {shape[0]}x{shape[1]}, {LEVELS} levels, {len(reference)} boxes, identical")
    print(f"one pass {ours:.3f} s, level by level {theirs:.1f} s, ratio {theirs / ours:.0f}")
    print(f"peak memory {peak / 1024:.0f} MiB, of which the pass added {(peak - before) / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
