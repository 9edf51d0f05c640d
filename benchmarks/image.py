"""Times each stage from a DICOM file to scored boxes, with dense maps and with maps of windows.

    python benchmarks/image.py --repeats 3

The file is a phantom of full size, and the stages are the workflow's functions, one after the other. Each way
runs in a separate process, of which the peak memory is measured. Prints the median of each stage, its share,
and the ratio of both ways. The seconds of the map are those of several images minus those of a small one, so
that compiling does not count. `--ways dense` leaves out the windows, which take minutes.

Without `--model`, a folder with a trained `model.weights.h5` and `model.json`, weights are random. Their
probabilities hardly differ, so they are spread from 0 to 1, in the same order, before boxes are made.
"""

import argparse
import multiprocessing
import os
import resource
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from mpm import after_first, cloudy_image, network, timed

sys.path.append(str(Path(__file__).resolve().parents[1] / "workflow" / "scripts"))

from mammoflow import archives
from mammoflow.breasts import preparation, segmentation
from mammoflow.breasts.image_store import StoredImage
from mammoflow.detection import candidate_scores, candidates, classification, components, dense, mpm
from mammoflow.dicom import grey_values
from mammoflow.networks import runtime
from mammoflow.patches import local_contrast
from mammoflow.patches.sliding_windows import Windows
from mammoflow.phantoms import cohorts
from mammoflow.study import provenance

WAYS = {"dense": dense, "windows": classification}
LEVELS = 1000
SETTINGS = candidates.Settings(0.6, [number / 10 for number in range(1, 10)], 0.2, 0.6)

# Any weights take as long as learnt ones.
_EACH = len(candidates.FEATURES)
SCORE = candidate_scores.Learnt(
    list(candidates.FEATURES),
    [0.0] * _EACH,
    [1.0] * _EACH,
    [1.0] + [0.0] * (_EACH - 1),
    0.0,
    masses=1,
    others=1,
)

Cost = tuple[float, float]  # seconds, and seconds of processor time


def phantom(root: Path, shape: list[int]) -> Path:
    """A DICOM file of a digital phantom, one of a cohort of a single patient."""
    entry = {"cohort": "digital", "patients": 1, "detector": shape, "pixel_mm": 0.07, "masses": 1}
    cohorts.write(root, entry, seed=0)
    return root / archives.archive("inbreast").index(root, threads=1).images["path"].iloc[0]


def spread(grid: mpm.Grid) -> mpm.Grid:
    """The grid with other probabilities in the same order: from 0 to 1, few of them high."""
    values, classified = np.zeros_like(grid.probabilities), grid.probabilities > 0
    ranks = grid.probabilities[classified].argsort().argsort()
    values[classified] = ((ranks + 1) / len(ranks)) ** 3
    return replace(grid, probabilities=values)


def way(options: argparse.Namespace, path: Path, name: str) -> tuple[dict[str, list[Cost]], float, str]:
    """Costs of each stage, peak memory in GiB, and what was found; in a process that does nothing else."""
    runtime.configure(options.threads, training=False)
    model = network(options)
    window = model.input_shape[1]
    costs: dict[str, list[Cost]] = {}

    def stage(name: str, function: Callable, *arguments: object) -> object:
        result, *cost = timed(function, *arguments)
        costs.setdefault(name, []).append(tuple(cost))
        return result

    def prepared() -> StoredImage:
        image = stage("decode", grey_values.decode, path)
        region = stage("breast region", segmentation.breast_region, image, "digital")
        return stage("crop", preparation.prepare, "image", image, region, [], "", "original", None)

    for _ in range(options.repeats):
        stored = prepared()
        contrast = stage("local contrast", local_contrast.normalized, stored.pixels, window)
    images = {"small": cloudy_image(0, (2 * window, 2 * window)), "image": replace(stored, pixels=contrast)}
    order = ["small"] + ["image"] * (12 if name == "dense" else 2)
    windows = Windows(window, window // 4, "inside")
    grids = WAYS[name].grids([model], images, order, windows, "local", runtime.policy("auto"))
    ((_, grid), *rest), *cost = after_first(grids)
    costs["map"] = [tuple(np.array(cost) / (1 + len(rest)))]
    grid = grid if options.model else spread(grid)
    for _ in range(options.repeats):
        found = stage("paper's boxes", lambda: components.find(components.quantise(grid.map(), LEVELS)))
        table = stage("candidates", candidates.of_image, "image", stored, grid, window, SETTINGS)
        kept = stage("scores", candidate_scores.scored, table, SCORE, SETTINGS)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    facts = (
        f"{grid.probabilities.size} windows at a step of {grid.step}, {len(found.boxes)} paper's boxes, "
        f"{len(kept)} of {len(table)} candidates kept; breast of {stored.pixels.shape}"
    )
    return costs, peak, facts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--backbone", default="inceptionv3")
    parser.add_argument("--window", type=int, default=224)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--shape", type=int, nargs=2, default=[3328, 2560], metavar=("ROWS", "COLUMNS"))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    options = parser.parse_args()
    totals = {}
    with tempfile.TemporaryDirectory() as folder:
        path = phantom(Path(folder, "digital"), options.shape)
        for name in options.ways:
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as apart:
                costs, peak, facts = apart.submit(way, options, path, name).result()
            medians = {stage: np.median(rounds, axis=0) for stage, rounds in costs.items()}
            totals[name] = sum(medians.values())
            print(f"{name}: {facts}")
            for stage, cost in [*medians.items(), ("all", totals[name])]:
                share = cost[0] / totals[name][0]
                print(f"  {stage:15} {cost[0]:7.2f} s, {cost[1]:7.2f} s of processor time, {share:4.0%}")
            print(f"  peak memory {peak:.1f} GiB")
    print(
        f"{options.backbone}, {runtime.policy('auto')}, {provenance.processor()}, {options.threads} threads, "
        f"load {os.getloadavg()[0]:.1f}"
    )
    if len(totals) == len(WAYS):
        faster, lighter = totals["windows"] / totals["dense"]
        print(f"dense against windows {faster:.1f} times, {lighter:.1f} times less processor time")


if __name__ == "__main__":
    main()
