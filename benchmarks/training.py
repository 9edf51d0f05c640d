"""Compares training in the precision that ``auto`` selects with training in float32.

    python benchmarks/training.py precision    the gain: time of a step
    python benchmarks/training.py loss BANK    the loss: lowest validation losses of trainings on a bank

Steps are timed in alternating blocks, so that other work on the machine slows both; ratios are medians over
the blocks. Peak memory is that of the whole process.
"""

import argparse
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

sys.path.append(str(Path(__file__).resolve().parents[1] / "workflow" / "scripts"))

from mammoflow.networks import backbones, runtime
from mammoflow.patches import bank
from mammoflow.training import fitting
from mammoflow.training.augmentation import Augmentation
from mammoflow.training.compiling import compile_network

PAPER = Augmentation(flip=True, rotation_degrees=30, scale=(0.75, 1.25))


def compiled(name: str, window: int, policy: str) -> keras.Model:
    model = backbones.build(name, window, policy)
    compile_network(model, keras.optimizers.Adam(1e-4), [], steps=1000)
    model.make_train_function()
    return model


def seconds_per_step(model: keras.Model, batches: tf.data.Dataset, steps: int) -> float:
    """Of the steps after the first, which finds the feed idle."""
    iterator = iter(batches)
    np.asarray(model.train_function(iterator)["loss"])
    begun = time.perf_counter()
    for _ in range(steps):
        loss = model.train_function(iterator)["loss"]
    np.asarray(loss)
    return (time.perf_counter() - begun) / steps


def compare(title: str, names: tuple[str, str], blocks: Iterator[tuple[float, float]]) -> None:
    times = np.array(list(blocks))
    ratio = np.median(times[:, 0] / times[:, 1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    first, second = np.median(times, axis=0)
    print(
        f"{title}: {names[0]} {first:.2f} s, {names[1]} {second:.2f} s a step, ratio {ratio:.2f} "
        f"({len(times)} blocks), peak memory {peak:.1f} GiB",
        flush=True,
    )


def precision(options: argparse.Namespace) -> None:
    generator = np.random.default_rng(0)
    shape = (options.batch, options.window, options.window, 1)
    pair = generator.normal(size=shape).astype(np.float32), (np.arange(options.batch) % 2).astype(np.uint8)
    batches = tf.data.Dataset.from_tensors(pair).repeat()
    auto = runtime.policy("auto")
    for name in options.networks:
        models = [compiled(name, options.window, policy) for policy in ("float32", auto)]
        for model in models:
            seconds_per_step(model, batches, 1)
        blocks = (
            tuple(seconds_per_step(model, batches, options.steps) for model in models)
            for _ in range(options.blocks)
        )
        compare(name, ("float32", auto), blocks)


def loss(options: argparse.Namespace) -> None:
    settings = fitting.Settings(
        batch=options.batch,
        epochs=options.epochs,
        patience=options.epochs,
        learning_rate={},
        layers="all",
        steps_per_epoch=options.steps,
        parts=1,
        gpus=1,
        precision="",
        batch_normalization_momentum=0.9,
        augmentation=PAPER,
    )
    with bank.open_bank(options.bank, 0, fitting.MEMORY) as opened:
        for name in options.networks:
            for policy in ("float32", "mixed_bfloat16"):
                found = []
                for seed in range(options.blocks):
                    model, _ = fitting.start(name, opened.window, policy, [], [], seed)
                    title = f"{name} {policy} seed {seed}"
                    found.append(fitting.fit(model, opened, settings, options.rate, "gcn", seed, title))
                losses = np.array([fitted.validation_loss for fitted in found])
                az = np.array([fitted.history["validation_az"].max() for fitted in found])
                rate = np.median([each.patches_per_second for each in found])
                print(
                    f"{name}, {policy}: lowest validation loss {losses.mean():.3f} ± "
                    f"{losses.std(ddof=1):.3f}, highest Az {az.mean():.3f} ± {az.std(ddof=1):.3f}, "
                    f"{len(found)} seeds, {rate:.0f} patches/s",
                    flush=True,
                )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=["precision", "loss"])
    parser.add_argument("bank", nargs="?", type=Path)
    parser.add_argument("--networks", nargs="+", default=["vgg16", "resnet50", "inceptionv3"])
    parser.add_argument("--window", type=int, default=224)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=6, help="of a block, or of an epoch")
    parser.add_argument("--blocks", type=int, default=3, help="or seeds")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()

    runtime.configure(options.threads)
    {"precision": precision, "loss": loss}[options.what](options)


if __name__ == "__main__":
    main()
