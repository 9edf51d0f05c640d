"""Compares the feed with a simple generator, and training from a bank with training from memory.

The simple generator reads one patch at a time with h5py, rotates and scales it with scikit-image, and
normalises it. It is measured on the same patches stored like the project's other arrays (LZF), and without
compression. Training from memory takes the same steps on batches that are already prepared. Run from the
root of the repository:

    python benchmarks/feed.py --patches 2000 --window 224 --networks inceptionv3 resnet50 vgg16
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import keras
import numpy as np
import tensorflow as tf
from material import STRIDE, store
from skimage import transform

from mammoflow.networks import architectures, backbones, runtime
from mammoflow.patches import bank, cutting, sliding_windows
from mammoflow.training.augmentation import Augmentation
from mammoflow.training.feed import Feed

BATCH = 32
# Filters that every HDF5 has.
LZF = {"compression": "lzf", "shuffle": True, "fletcher32": True}
PAPER = Augmentation(flip=True, rotation_degrees=30, scale=(0.75, 1.25))


def naive(stored: h5py.Dataset) -> Iterator[np.ndarray]:
    """Batches, one patch after the other."""
    generator = np.random.default_rng(0)
    middle = (stored.shape[1] - 1) / 2
    batch = []
    while True:
        for row in generator.permutation(len(stored)):
            patch = stored[row].astype(np.float64)
            patch = patch[:, ::-1] if generator.random() < 0.5 else patch
            patch = transform.rotate(patch, generator.uniform(-30, 30), mode="symmetric")
            scale = generator.uniform(0.75, 1.25)
            offset = middle - middle / scale
            about = transform.AffineTransform(scale=1 / scale, translation=(offset, offset))
            patch = transform.warp(patch, about, mode="symmetric")
            batch.append((patch - patch.mean()) / patch.std())
            if len(batch) == BATCH:
                yield np.array(batch, np.float32)
                batch = []


def fed(part: bank.Part, workers: int) -> Iterator[np.ndarray]:
    """Batches of the feed."""
    stream = Feed(part, BATCH, "gcn", workers).training(len(part) // BATCH, PAPER, seed=0)
    return (x for x, _ in stream.as_numpy_iterator())


def feed_alone(folder: Path, window: int, options: argparse.Namespace) -> None:
    """Patches per second without a network; the methods alternate."""
    with (
        bank.open_bank(folder / "bank.h5", 0) as disk,
        bank.open_bank(folder / "bank.h5", 0, 2**33) as memory,
    ):
        ways: dict[str, Callable[[], Iterator[np.ndarray]]] = {
            "bank": lambda: fed(disk.train, options.workers),
            "memory": lambda: fed(memory.train, options.workers),
        }
        with h5py.File(folder / "naive.h5", "w") as file:
            everything = disk.train.read(np.arange(len(disk.train))).patches
            for name, how in {"lzf": LZF, "plain": {}}.items():
                stored = file.create_dataset(name, data=everything, chunks=(1, window, window), **how)
                ways[f"naive {name}"] = lambda stored=stored: naive(stored)
            found = {name: [] for name in ways}
            for _ in range(options.rounds):
                for name, begin in ways.items():
                    found[name].append(rate(begin(), options.seconds))
    medians = {name: np.median(each, axis=0) for name, each in found.items()}
    for name, (speed, processor) in medians.items():
        ratios = [
            f"{speed / medians[other][0]:.1f} × {other}" for other in medians if other.startswith("naive")
        ]
        print(
            f"feed alone, {name:12} {speed:7.0f} patches/s, {1e6 * processor:5.0f} µs of processor each: "
            + ", ".join(ratios)
        )


def rate(batches: Iterator[np.ndarray], seconds: float) -> tuple[float, float]:
    """Patches per second, and processor seconds per patch; the first batches are excluded as warm-up."""
    for _ in range(8):
        next(batches)
    begun, used, seen = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - begun < seconds:
        seen += len(next(batches))
    return seen / (time.perf_counter() - begun), (time.process_time() - used) / seen


def training(part: bank.Part, name: str, precision: str, options: argparse.Namespace) -> None:
    """Steps of a network fed from the bank, against the same steps on batches that lie in memory."""
    model = backbones.build(name, part.window, runtime.policy(precision))
    optimizer = keras.optimizers.Adam(1e-6)
    optimizer.build(model.trainable_variables)
    loss = keras.losses.SparseCategoricalCrossentropy()

    @tf.function
    def step(x: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            value = loss(labels, model(x, training=True))
        optimizer.apply_gradients(
            zip(tape.gradient(value, model.trainable_variables), model.trainable_variables, strict=True)
        )
        return value

    stream = Feed(part, BATCH, "gcn", options.workers, inside=False).training(10**6, PAPER, seed=0)
    ready = list(stream.take(2))
    step(*ready[0])

    def seconds(batches: Callable[[], Iterator[tuple]]) -> float:
        """Of some steps, with all that it takes to set the batches up."""
        begun = time.perf_counter()
        for batch, _ in zip(batches(), range(options.steps), strict=False):
            step(*batch).numpy()
        return (time.perf_counter() - begun) / options.steps

    memory, disk = [], []
    for _ in range(options.rounds):
        memory.append(seconds(lambda: iter(tf.data.Dataset.from_tensors(ready[1]).repeat().prefetch(2))))
        disk.append(seconds(lambda: iter(stream)))
    ratios = np.divide(memory, disk)  # of neighbours in time: a machine is not equally fast all along
    print(
        f"training {name}, {precision}: {BATCH / statistics.median(disk):.1f} patches/s from the bank, "
        f"{BATCH / statistics.median(memory):.1f} from memory, ratio {np.median(ratios):.3f} "
        f"(of {len(ratios)} pairs, {ratios.min():.2f} to {ratios.max():.2f})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--patches", type=int, default=2000)
    parser.add_argument("--window", type=int, default=224)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--networks", nargs="*", default=[], choices=architectures.names())
    parser.add_argument("--precision", default="float32", choices=["auto", *runtime.PRECISIONS])
    parser.add_argument("--steps", type=int, default=4)
    options = parser.parse_args()
    runtime.configure(threads=2)

    with tempfile.TemporaryDirectory() as folder:
        path, images = Path(folder, "bank.h5"), store(options.patches, options.window)
        parts = {"train": list(images), "validation": list(images), "test": []}
        windows = sliding_windows.Windows(options.window, STRIDE, "inside")
        cutting.write(path, {0: parts}, images, images, windows, "mass-images", (0,))
        print(f"{len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f}")
        feed_alone(Path(folder), options.window, options)
        with bank.open_bank(path, 0) as opened:
            for name in options.networks:
                training(opened.train, name, options.precision, options)


if __name__ == "__main__":
    main()
