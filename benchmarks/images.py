"""Compares the images stage with decoding and writing alone; measures memory and the gain of a second core.

    python benchmarks/images.py --images 8

The images are phantoms of 4084×3328 pixels of 16 bits, as uncompressed DICOM. Decoding and writing alone
writes the same arrays that the stage stores, with the same HDF5 settings, so that the difference is the
stage's own work; both run on one core. The runs alternate, and medians are printed.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple

import pandas as pd

sys.path.append(str(Path(__file__).resolve().parents[1] / "workflow" / "scripts"))

from mammoflow import archives
from mammoflow.base import storage
from mammoflow.breasts import filling, image_store
from mammoflow.patches import sliding_windows
from mammoflow.phantoms import cohorts

ARCHIVES = {"film": "cbis-ddsm", "digital": "inbreast"}


class Release:
    """A small cohort of phantoms, its images listed again and again under new names."""

    def __init__(self, folder: Path, cohort: str, resolution: str | dict) -> None:
        self.folder, self.cohort, self.resolution = folder, cohort, resolution
        self.archive = archives.archive(ARCHIVES[cohort])
        self.root = folder / cohort
        if not self.root.is_dir():
            entry = {"cohort": cohort, "patients": 2, "detector": [4084, 3328], "pixel_mm": 0.06}
            cohorts.write(self.root, entry | {"masses": 1}, seed=0)
        self.index = self.archive.index(self.root, threads=1)

    def tables(self, count: int) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Images and lesions of a data set of any size."""
        known, lesions = self.index.images, self.index.lesions
        copies = range(-(-count // len(known)))
        renamed = [
            [table.assign(image_id=f"{number}-" + table["image_id"]) for number in copies]
            for table in (known, lesions)
        ]
        return pd.concat(renamed[0]).head(count), pd.concat(renamed[1])

    def fill(self, count: int, threads: int) -> None:
        """The stage."""
        with storage.create_hdf5(self.folder / "stage.h5") as file:
            stored = filling.fill(
                file,
                *self.tables(count),
                self.archive,
                self.root,
                self.cohort,
                self.resolution,
                threads,
            )
        if not stored["stored"].all():
            raise SystemExit(f"not stored: {stored[~stored['stored']].to_string()}")

    def decode_and_write(self, count: int) -> "Cost":
        """Cost of decoding and writing alone; the arrays to write are at hand."""
        ready, reading = image_store.open_store(self.folder / "stage.h5"), Cost(0, 0)
        begun = Cost.now()
        with storage.create_hdf5(self.folder / "alone.h5") as file:
            for row in self.tables(count)[0].itertuples():
                apart = Cost.now()
                stored = ready[row.image_id]
                reading += Cost.now() - apart
                self.archive.read_image(self.root, row.path)
                image_store.write(file, stored)
        return Cost.now() - begun - reading


class Cost(NamedTuple):
    """Seconds on the clock, and of processors."""

    clock: float
    processors: float

    @classmethod
    def now(cls) -> "Cost":
        """Cost so far of this process and of its children that have ended."""
        used = (resource.getrusage(who)[:2] for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return cls(time.perf_counter(), sum(map(sum, used)))

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.clock + other.clock, self.processors + other.processors)

    def __sub__(self, other: "Cost") -> "Cost":
        return Cost(self.clock - other.clock, self.processors - other.processors)


def cost(function: Callable, *arguments: object) -> Cost:
    begun = Cost.now()
    function(*arguments)
    return Cost.now() - begun


def throughput(release: Release, count: int, repeats: int) -> None:
    """One core, and two: by the clock, and by seconds of processors, which other work disturbs less."""
    cores = sorted(os.sched_getaffinity(0))
    release.fill(count, 1)
    rounds = []
    for _ in range(repeats):
        os.sched_setaffinity(0, cores[:1])
        alone, stage = release.decode_and_write(count), cost(release.fill, count, 1)
        os.sched_setaffinity(0, cores)
        rounds.append((alone, stage, cost(release.fill, count, 2)))
    for unit in Cost._fields:
        alone, stage, two = (
            [getattr(spent, unit) / count for spent in column] for column in zip(*rounds, strict=True)
        )
        print(
            f"{release.cohort}, {release.resolution}, seconds an image ({unit}): "
            f"decode and write {median(alone):.3f}, stage on one core {median(stage):.3f}, "
            f"on two {median(two):.3f}; throughput of one core "
            f"{median(a / s for a, s in zip(alone, stage, strict=True)):.2f} of decode and write, "
            f"of two {median(s / t for s, t in zip(stage, two, strict=True)):.2f} of one"
        )


def stored(release: Release, count: int) -> None:
    """Size of a stored image, time to read it, and amount of data that the network uses."""
    path, windows = release.folder / "stage.h5", sliding_windows.Windows(224, 56, "inside")
    begun, store = Cost.now(), image_store.open_store(path)
    read = [store[name] for name in release.tables(count)[0]["image_id"]]
    spent = Cost.now() - begun
    seen = [int(sliding_windows.supporting(image.breast, windows).sum()) for image in read]
    size = path.stat().st_size / count / 1e6
    print(
        f"{release.cohort}, {release.resolution}, stored: {size:.1f} MB an image, "
        f"{spent.processors / count:.3f} s of processor time to read, {median(seen):.0f} windows of 224 at 56"
    )


def memory(release: Release, counts: list[int], threads: int) -> None:
    """Peak memory of the main process and of its largest worker, measured in a separate process."""
    for count in counts:
        arguments = [sys.executable, __file__, "--folder", str(release.folder), "--only", release.cohort]
        arguments += ["--fill", str(count), "--threads", str(threads)]
        peaks = subprocess.run(arguments, check=True, capture_output=True, text=True).stdout.split()
        main, worker = (int(peak) / 1024 for peak in peaks)
        print(
            f"{release.cohort}: {count} images, {threads} threads: main process at most {main:.0f} MiB, "
            f"each worker at most {worker:.0f} MiB"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--memory", type=int, nargs="*", default=[5, 50])
    parser.add_argument("--factor", type=float, help="working resolution; original without it")
    parser.add_argument("--only", choices=ARCHIVES)
    parser.add_argument("--folder", type=Path, help="where phantoms are kept for another run")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--fill", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    resolution = {"factor": options.factor} if options.factor else "original"
    with tempfile.TemporaryDirectory() as temporary:
        for cohort in [options.only] if options.only else ARCHIVES:
            release = Release(options.folder or Path(temporary), cohort, resolution)
            if options.fill:
                release.fill(options.fill, options.threads)
                for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
                    print(resource.getrusage(who).ru_maxrss)
                continue
            throughput(release, options.images, options.repeats)
            stored(release, options.images)
            memory(release, options.memory, options.threads)


if __name__ == "__main__":
    main()
