"""Compares writing a bank with writing the same bytes by HDF5 alone, and measures the memory.

HDF5 writes the patches from memory without compression or checksum, one chunk each; the bank is drawn, cut,
compressed, checksummed and written from images. With several folds, HDF5 writes the patches of each. Run
from the root of the repository:

    python benchmarks/bank.py --patches 4000 --window 224
    python benchmarks/bank.py --patches 2000 --folds 5
    python benchmarks/bank.py --patches 20000 --rounds 1
"""

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
from material import PER_IMAGE, STRIDE, mammogram

from mammoflow.patches import bank, cutting, sliding_windows


class Images(dict):
    """Images that are created on demand, and kept if memory allows."""

    def __init__(self, window: int, kept: int) -> None:
        self.window, self.kept, self.spent = window, kept, np.zeros(2)

    def __missing__(self, number: str):
        begun = np.array([time.perf_counter(), time.thread_time()])
        image = mammogram(int(number), self.window)
        if len(self) < self.kept:
            self[number] = image
        self.spent += [time.perf_counter(), time.thread_time()] - begun
        return image


def clocks() -> np.ndarray:
    """Seconds of wall-clock time and of processor time."""
    return np.array([time.perf_counter(), time.process_time()])


def raw(path: Path, like: Path, fold: int) -> np.ndarray:
    """Seconds in which HDF5 writes the patches of a fold, which lie in memory, 64 at a time."""
    spent = np.zeros(2)
    with bank.open_bank(like, fold) as opened, h5py.File(path, "w", libver="latest") as file:
        for name in bank.PARTS:
            part = getattr(opened, name)
            shape = (part.window, part.window)
            array = file.create_dataset(name, (len(part), *shape), np.uint16, chunks=(1, *shape))
            row = 0
            for batch in part.batches(1024):
                begun = clocks()
                for start in range(0, len(batch.patches), 64):
                    some = batch.patches[start : start + 64]
                    array[row : row + len(some)] = some
                    row += len(some)
                spent += clocks() - begun
        begun = clocks()
        file.flush()
        os.fsync(file.id.get_vfd_handle())
        return spent + clocks() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--patches", type=int, default=4000, help="of a fold")
    parser.add_argument("--folds", type=int, default=1)
    parser.add_argument("--window", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()

    numbers = [f"{n:06}" for n in range(max(3, options.patches // PER_IMAGE))]
    third = max(1, len(numbers) // 3)
    generator = np.random.default_rng(0)
    folds = {}
    for fold in range(options.folds):
        mixed = generator.permutation(numbers).tolist()
        roles = {"train": mixed[2 * third :], "validation": mixed[:third], "test": mixed[third : 2 * third]}
        folds[fold] = {part: sorted(names) for part, names in roles.items()}
    images = Images(options.window, kept=50)
    windows = sliding_windows.Windows(options.window, STRIDE, "inside")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(options.rounds):
            path, images.spent = Path(folder, "bank.h5"), np.zeros(2)
            begun = clocks()
            counts = cutting.write(path, folds, images, images, windows, "mass-images", (0,), options.threads)
            total = sum(
                count.positives + count.negatives for parts in counts.values() for count in parts.values()
            )
            ours.append((clocks() - begun - images.spent) / total)
            size = path.stat().st_size / (total * options.window**2 * 2)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
            theirs.append(sum(raw(path.with_name("raw.h5"), path, fold) for fold in folds) / total)
    (bank_clock, bank_used), (raw_clock, raw_used) = (np.median(each, axis=0) for each in (ours, theirs))
    print(
        f"{len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f}, "
        f"{total} patches of {len(folds)} folds"
    )
    for name, clock, used in (("bank", bank_clock, bank_used), ("raw HDF5", raw_clock, raw_used)):
        print(f"writing, {name:8} {1 / clock:6.0f} patches/s, {1e6 * used:4.0f} µs of processor each")
    print(
        f"writing, ratio {raw_clock / bank_clock:.2f} by the clock, {raw_used / bank_used:.2f} by processor"
    )
    print(f"bank of {size:.2f} the raw size, peak memory {peak:.0f} MiB ({before:.0f} MiB before it began)")


if __name__ == "__main__":
    main()
