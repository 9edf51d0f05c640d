"""The feed against the naive way, in one run: patches per second, and peak memory.

The naive way reads a patch, rotates and scales it with scikit-image, normalises it, and goes on to the
next. Run from the repository:

    python benchmarks/feed.py --patches 2000 --window 224
"""

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[1] / "workflow" / "scripts"))

from mammoflow import bank, patches
from mammoflow.augmentation import Augmentation

BATCH = 32
PAPER = Augmentation(flip=True, rotation_degrees=30, scale=(0.75, 1.25))


def write_bank(path: Path, count: int, window: int) -> None:
    """Bank of noise: as many patches in each part as asked for, about."""
    images = max(2, round(np.sqrt(count / 50)))
    side = window + 8 * int(np.sqrt(count / images))

    class Store(dict):
        def __missing__(self, number: str) -> SimpleNamespace:
            generator = np.random.default_rng(int(number))
            pixels = generator.integers(0, 4096, (side, side)).astype(np.uint16)
            breast = np.ones(pixels.shape, bool)
            lesions = np.triu(breast).astype(np.uint8)
            return SimpleNamespace(pixels=pixels, breast=breast, lesions=lesions, masses=1)

    numbers = [str(number) for number in range(images)]
    windows = patches.Windows(window, 8, "inside")
    bank.write(path, dict.fromkeys(bank.PARTS, numbers), Store(), windows, "mass-images", (0,))


def naive(part: bank.Part) -> Iterator[np.ndarray]:
    """One patch after the other, with h5py and scikit-image."""
    from skimage import transform

    generator = np.random.default_rng(0)
    stored = part.group["patches"]
    batch = []
    for row in generator.permutation(len(part)):
        patch = stored[row].astype(np.float64)
        patch = patch[:, ::-1] if generator.random() < 0.5 else patch
        patch = transform.rotate(patch, generator.uniform(-30, 30), mode="symmetric")
        middle = (part.window - 1) / 2
        scale = generator.uniform(0.75, 1.25)
        offset = middle - middle / scale
        about = transform.AffineTransform(scale=1 / scale, translation=(offset, offset))
        patch = transform.warp(patch, about, mode="symmetric")
        batch.append((patch - patch.mean()) / patch.std())
        if len(batch) == BATCH:
            yield np.array(batch, np.float32)
            batch = []


def rate(batches: Iterator[np.ndarray], seconds: float) -> float:
    """Patches per second over some seconds; the first batch, which sets things up, is left out."""
    next(batches)
    begun, seen = time.perf_counter(), 0
    for batch in batches:
        seen += len(batch)
        if time.perf_counter() - begun > seconds:
            break
    return seen / (time.perf_counter() - begun)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patches", type=int, default=2000)
    parser.add_argument("--window", type=int, default=224)
    parser.add_argument("--seconds", type=float, default=5)
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bank.h5"
        begun = time.perf_counter()
        write_bank(path, options.patches, options.window)
        written = time.perf_counter() - begun
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10

        from mammoflow.feed import Feed

        with bank.open_bank(path) as opened:
            part = opened.train
            total = sum(len(getattr(opened, name)) for name in bank.PARTS)
            print(f"bank      {total / written:8.0f} patches/s, peak {peak:.0f} MiB, {total} patches")
            slow = rate(naive(part), options.seconds)
            print(f"naive     {slow:8.0f} patches/s")
            stream = Feed(part, BATCH, "gcn").training(len(part) // BATCH, PAPER, 0)
            fast = rate((x for x, _ in stream.as_numpy_iterator()), options.seconds)
            print(f"feed      {fast:8.0f} patches/s, {fast / slow:.1f} times the naive way")
        with bank.open_bank(path, memory=2**33) as opened:
            stream = Feed(opened.train, BATCH, "gcn").training(len(part) // BATCH, PAPER, 0)
            fast = rate((x for x, _ in stream.as_numpy_iterator()), options.seconds)
            print(f"in memory {fast:8.0f} patches/s, {fast / slow:.1f} times the naive way")


if __name__ == "__main__":
    main()
