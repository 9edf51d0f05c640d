"""Writing a bank against HDF5 writing the same bytes, and the memory that it takes.

HDF5 writes the patches as they are, without compression or checksum, a chunk each, from memory; the bank
is drawn, cut, hashed, compressed, checked and written from images. Run from the repository:

    python benchmarks/bank.py --patches 4000 --window 224
    python benchmarks/bank.py --patches 20000 --rounds 1
"""

import argparse
import os
import resource
import statistics
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
from material import PER_IMAGE, STRIDE, mammogram

from mammoflow import bank, patches


class Images(dict):
    """Images that are made when they are asked for, and kept where there is room."""

    def __init__(self, window: int, kept: int) -> None:
        self.window, self.kept, self.seconds = window, kept, 0.0

    def __missing__(self, number: str):
        begun = time.perf_counter()
        image = mammogram(int(number), self.window)
        if len(self) < self.kept:
            self[number] = image
        self.seconds += time.perf_counter() - begun
        return image


def raw(path: Path, total: int, window: int) -> float:
    """Seconds in which HDF5 writes as many patches, 64 at a time."""
    block = np.stack([mammogram(0, window).pixels[n : n + window, :window] for n in range(64)])
    begun = time.perf_counter()
    with h5py.File(path, "w", libver="latest") as file:
        array = file.create_dataset("patches", (total, window, window), np.uint16, chunks=(1, window, window))
        for start in range(0, total, len(block)):
            array[start : start + len(block)] = block[: total - start]
        file.flush()
        os.fsync(file.id.get_vfd_handle())
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--patches", type=int, default=4000)
    parser.add_argument("--window", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()

    numbers = [f"{n:06}" for n in range(max(3, options.patches // PER_IMAGE))]
    third = max(1, len(numbers) // 3)
    parts = {"train": numbers[2 * third :], "validation": numbers[:third], "test": numbers[third : 2 * third]}
    images = Images(options.window, kept=50)
    windows = patches.Windows(options.window, STRIDE, "inside")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    ours, theirs, processor = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(options.rounds):
            path, images.seconds = Path(folder, "bank.h5"), 0.0
            begun, used = time.perf_counter(), time.process_time()
            counts = bank.write(path, parts, images, windows, "mass-images", (0,), options.threads)
            total = sum(count.positives + count.negatives for count in counts.values())
            ours.append(total / (time.perf_counter() - begun - images.seconds))
            processor.append((time.process_time() - used - images.seconds) / total)
            size = path.stat().st_size / (total * options.window**2 * 2)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
            path.unlink()
            theirs.append(total / raw(path, total, options.window))
            path.unlink()
    fast, slow = statistics.median(theirs), statistics.median(ours)
    print(f"{len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f}, {total} patches")
    print(f"bank {slow:.0f} patches/s, raw HDF5 {fast:.0f} patches/s, ratio {slow / fast:.2f}")
    print(f"bank {1e6 * statistics.median(processor):.0f} µs of processor a patch")
    print(f"bank {size:.2f} of the raw size, peak memory {peak:.0f} MiB ({before:.0f} MiB before it began)")


if __name__ == "__main__":
    main()
