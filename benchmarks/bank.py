"""Compares writing a bank with writing the same bytes by HDF5 alone, and measures the memory.

HDF5 writes the patches from memory without compression or checksum, one chunk each; the bank is drawn, cut,
compressed, checksummed and written from images. With several folds, HDF5 writes the patches of each. With
several workers, the images are made before, so that all of them must fit in memory. Run from the root of the
repository:

    python benchmarks/bank.py --patches 4000 --window 224
    python benchmarks/bank.py --patches 2000 --folds 5
    python benchmarks/bank.py --patches 20000 --rounds 1

With `--stored`, it writes a bank from an images store, as the workflow does, with one worker and with more:

    python benchmarks/bank.py --stored 40 --workers 2
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

from mammoflow.base import storage
from mammoflow.breasts import image_store
from mammoflow.breasts.geometry import Geometry
from mammoflow.breasts.image_store import StoredImage
from mammoflow.patches import bank, cutting, sliding_windows

GEOMETRY = Geometry(3328, 2560, 0, 0, 3328, 2560, mirrored=False, factor=1)


class Images(dict):
    """Images that are created on demand, and kept if there is room for them."""

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
    """Seconds of wall-clock time, and of processor time, that of ended processes included."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return np.array([time.perf_counter(), time.process_time() + ended.ru_utime + ended.ru_stime])


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


def from_store(options: argparse.Namespace) -> None:
    """Write the bank of three parts of stored images, and print the cost of an image."""
    generator, shape = np.random.default_rng(0), (3328, 2560)
    y, x = np.ogrid[: shape[0], : shape[1]]
    breast = (2.2 * y / shape[0] - 1.1) ** 2 + (1.6 * x / shape[1]) ** 2 < 1
    tissue = np.where(breast, generator.normal(1800, 30, shape), 0).astype(np.uint16)
    names = [f"{number:04}" for number in range(options.stored)]
    parts = {part: names[place :: len(bank.PARTS)] for place, part in enumerate(bank.PARTS)}
    windows = sliding_windows.Windows(options.window, options.window // 4, "inside")
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder, "store.h5")
        with storage.create_hdf5(store) as file:
            for number, name in enumerate(names):
                lesions = np.zeros(shape, np.uint8)
                if number // len(bank.PARTS) % 2:
                    lesions[1200:1500, 600:900] = 1
                image = StoredImage(name, tissue, breast, lesions, GEOMETRY, masses=int(lesions.any()))
                image_store.write(file, image)
        for workers in (1, options.workers):
            begun = clocks()
            regions, images = image_store.open_regions(store), image_store.open_store(store)
            made = Path(folder, "bank.h5")
            cutting.write(made, {0: parts}, regions, images, windows, "normal-images", (0,), workers)
            clock, used = (clocks() - begun) / options.stored
            print(
                f"{workers} workers, load {os.getloadavg()[0]:.1f}: {1e3 * clock:.0f} ms an image of "
                f"{shape[0]}×{shape[1]}, {1e3 * used:.0f} ms of processor"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--patches", type=int, default=4000, help="of a fold")
    parser.add_argument("--folds", type=int, default=1)
    parser.add_argument("--window", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--stored", type=int, metavar="IMAGES", help="write from a store of so many images")
    options = parser.parse_args()
    if options.stored:
        from_store(options)
        return

    numbers = [f"{n:06}" for n in range(max(3, options.patches // PER_IMAGE))]
    third = max(1, len(numbers) // 3)
    generator = np.random.default_rng(0)
    folds = {}
    for fold in range(options.folds):
        mixed = generator.permutation(numbers).tolist()
        roles = {"train": mixed[2 * third :], "validation": mixed[:third], "test": mixed[third : 2 * third]}
        folds[fold] = {part: sorted(names) for part, names in roles.items()}
    images = Images(options.window, kept=50 if options.workers == 1 else len(numbers))
    for number in numbers if options.workers > 1 else []:
        images[number]
    windows = sliding_windows.Windows(options.window, STRIDE, "inside")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(options.rounds):
            path, images.spent = Path(folder, "bank.h5"), np.zeros(2)
            begun = clocks()
            counts = cutting.write(path, folds, images, images, windows, "mass-images", (0,), options.workers)
            total = sum(
                count.positives + count.negatives for parts in counts.values() for count in parts.values()
            )
            ours.append((clocks() - begun - images.spent) / total)
            size = path.stat().st_size / (total * options.window**2 * 2)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
            theirs.append(sum(raw(path.with_name("raw.h5"), path, fold) for fold in folds) / total)
    (bank_clock, bank_used), (raw_clock, raw_used) = (np.median(each, axis=0) for each in (ours, theirs))
    print(
        f"{len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f}, {options.workers} workers, "
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
