"""Times `mammoflow detect` on mammograms of full size: what an image takes besides its map.

    python benchmarks/detect.py --images 4

The files are phantoms of 3328×2560 pixels. The command searches the first, then all of them; the difference,
divided by their number less one, is an image without starting Python and the network. The network alone maps
the same prepared images in this process. The network is `compact` with random weights, windows of 224 and
dense maps; what is around the map does not depend on it.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "workflow" / "scripts"), str(ROOT / "tests" / "support")]

import model_files

from mammoflow import archives
from mammoflow.application import inputs
from mammoflow.bundles import detector, model_file
from mammoflow.networks import runtime
from mammoflow.phantoms import cohorts

SHAPE = [3328, 2560]


def phantoms(root: Path, count: int) -> list[Path]:
    entry = {
        "cohort": "digital",
        "patients": -(-count // 4),
        "detector": SHAPE,
        "pixel_mm": 0.07,
        "masses": 1,
    }
    cohorts.write(root, entry, seed=0, threads=2)
    images = archives.archive("inbreast").index(root, threads=2).images["path"].iloc[:count]
    return [root / path for path in images]


def model(folder: Path) -> Path:
    known = model_files.facts()
    changes = {
        "network": known["network"] | {"window": 224, "normalization": "local"},
        "input": known["input"] | {"resolution": "original", "spacing_mm": 0.07},
        "maps": known["maps"] | {"maps": "dense", "stride": 56},
        "boxes": known["boxes"] | {"levels": 1000},
    }
    weights = model_files.random_weights(folder, window=224)
    return model_files.write(folder / "a.mammoflow", weights, **changes)


def command(path: Path, files: list[Path], out: Path, threads: int) -> tuple[float, float]:
    """Seconds, and those of the processors, of one call of the command."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    options = ["--out", out, "--threads", str(threads)]
    subprocess.run(
        [sys.executable, "-m", "mammoflow.commands.main", "detect", path, *files, *options],
        env=os.environ | {"PYTHONPATH": str(ROOT / "workflow" / "scripts")},
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - begun, used


def maps(path: Path, files: list[Path]) -> tuple[float, float]:
    """Seconds, and those of the processors, of the maps of images alone, the first one excepted."""
    loaded = detector.load(model_file.open_model(path))
    settings = inputs.Settings("digital", "original", None)
    read = [inputs.read(inputs.identified(inputs.Found(file)), settings).stored for file in files]
    store = {image.image_id: image for image in read}
    list(loaded.grids(store, list(store)[:1]))
    begun, used = time.perf_counter(), time.process_time()
    list(loaded.grids(store, list(store)[1:]))
    return time.perf_counter() - begun, time.process_time() - used


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()
    runtime.configure(options.threads, training=False)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files, path = phantoms(folder / "release", options.images), model(folder)
        one = command(path, files[:1], folder / "one", options.threads)
        several = command(path, files, folder / "all", options.threads)
        alone = maps(path, files)
    more = len(files) - 1
    each = [(b - a) / more for a, b in zip(one, several, strict=True)]
    network = [taken / more for taken in alone]
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    for what, whole, mapped in zip(("elapsed", "processor"), each, network, strict=True):
        around = whole - mapped
        print(f"{what}: {whole:.2f} s an image: its map {mapped:.2f} s, {around:.2f} s around it")
    print(f"the first image, with the start: {one[0]:.1f} s; peak memory of a process {peak:.2f} GiB")


if __name__ == "__main__":
    main()
