"""Compares the compiled network with Keras' `predict` on windows cut in Python.

The complete stage, from an images store to stored grids, is also compared with the network alone. All
measurements alternate several times. Prints medians of the rates, and ratios of processor time, which depend
less on other work on the machine. Keras runs in a separate process, because TensorFlow's threads can be set
only once per process; there all threads work on one call. Run from the root of the repository:

    python benchmarks/mpm.py --backbone inceptionv3 --window 224

Without `--model`, a folder with a trained `model.weights.h5` and `model.json`, weights are random.

With `--dense`, the maps of one pass over the image are compared with those of windows instead, at the step of
the paper and in the same precision, each in a separate process, of which the peak memory is measured:

    python benchmarks/mpm.py --dense
"""

import argparse
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as `mammoflow.detection` does, before TensorFlow

import keras
import numpy as np
import tensorflow as tf
from scipy import ndimage

sys.path.append(str(Path(__file__).resolve().parents[1] / "workflow" / "scripts"))

from mammoflow.base import pool, storage
from mammoflow.base.shards import Shards
from mammoflow.breasts import image_store
from mammoflow.breasts.geometry import Geometry
from mammoflow.detection import classification, dense, inference, magnified, mpm
from mammoflow.networks import backbones, runtime, trained
from mammoflow.networks.normalization import gcn
from mammoflow.patches import local_contrast, sliding_windows
from mammoflow.study import provenance

_MODELS: list[keras.Model] = []


def network(options: argparse.Namespace) -> keras.Model:
    """The network selected by the options."""
    if options.model:
        files = (options.model / name for name in ("model.weights.h5", "model.json"))
        return trained.load(*files, "float32")[0]
    return random_network(options.backbone, options.window)


def random_network(backbone: str, window: int) -> keras.Model:
    """Random weights; biases and statistics are not neutral, or passes would leave them out."""
    keras.utils.set_random_seed(0)
    model = backbones.build(backbone, window)
    generator = np.random.default_rng(0)
    for layer in backbones.body(model).layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.moving_mean.assign(generator.normal(0, 0.05, layer.moving_mean.shape))
            layer.moving_variance.assign(generator.uniform(0.5, 1, layer.moving_variance.shape))
            layer.beta.assign(generator.normal(0, 0.05, layer.beta.shape))
    return model


def cloudy_image(seed: int, shape: tuple[int, int]) -> image_store.StoredImage:
    """An image of cloudy noise, all breast."""
    noise = np.random.default_rng(seed).normal(size=shape)
    cloudy = sum(ndimage.gaussian_filter(noise, width) * width for width in (1, 4, 16))
    pixels = np.clip(2000 + 800 * cloudy, 0, 4095).astype(np.uint16)
    geometry = Geometry(*shape, 0, 0, *shape, mirrored=False, factor=1.0)
    return image_store.StoredImage(
        f"{seed}", pixels, np.ones(shape, bool), np.zeros(shape, np.uint8), geometry
    )


def write_store(path: Path, count: int, window: int) -> None:
    """Images of cloudy noise, all breast, of 16 × 8 windows: whole batches for everyone."""
    with storage.create_hdf5(path) as file:
        for number in range(count):
            image_store.write(file, cloudy_image(number, (window * 19 // 4, window * 11 // 4)))


def predict(
    model: keras.Model, image: image_store.StoredImage, windows: sliding_windows.Windows
) -> np.ndarray:
    """The simple method: cut one window after the other, then call Keras."""
    top, left = sliding_windows.grid(image.pixels.shape, windows)
    side = windows.window
    cut = [image.pixels[y : y + side, x : x + side] for y in top for x in left]
    normalized = np.stack([gcn(patch[None])[0] for patch in cut])[..., None]
    return model.predict(normalized, batch_size=32, verbose=0)[:, backbones.MASS]


def network_alone(network: inference.Compiled, normalized: np.ndarray) -> np.ndarray:
    """Windows that are cut and normalised already, as `classification` hands them on."""
    starts = range(0, len(normalized), network.size)
    parts = (normalized[start : start + network.size] for start in starts)
    return np.concatenate(list(pool.ordered(network, parts, inference.calls())))


def keras_alone(
    options: argparse.Namespace, image: image_store.StoredImage, windows: sliding_windows.Windows
) -> tuple[np.ndarray, float, float]:
    """`predict`, timed; called in a process that does nothing else."""
    if not _MODELS:
        tf.config.threading.set_intra_op_parallelism_threads(options.threads)
        tf.config.threading.set_inter_op_parallelism_threads(options.threads)
        _MODELS.append(network(options))
    return timed(predict, _MODELS[0], image, windows)


def timed(function: Callable, *arguments: object) -> tuple[np.ndarray, float, float]:
    """Result, seconds, and seconds of processor time."""
    begun, used = time.perf_counter(), time.process_time()
    result = function(*arguments)
    return result, time.perf_counter() - begun, time.process_time() - used


def end_to_end(
    model: keras.Model, store: Shards, windows: sliding_windows.Windows, precision: str, path: Path
) -> tuple[int, float, float]:
    """Windows, seconds and seconds of processor time from store to stored grids.

    From the first grid on: compiling takes as long for three images as for three thousand.
    """
    with storage.create_hdf5(path) as file:
        found = classification.grids([model], store, sorted(store), windows, "gcn", precision)
        next(found)
        begun, used, count = time.perf_counter(), time.process_time(), 0
        for image_id, grid in found:
            mpm.write_grid(file, image_id, grid)
            count += grid.probabilities.size
        return count, time.perf_counter() - begun, time.process_time() - used


def after_first(grids: magnified.Grids) -> tuple[list[tuple[str, mpm.Grid]], float, float]:
    """All grids but the first, with their seconds and processor time: the first waits for the compiler."""
    next(grids)
    return timed(list, grids)


def maps(options: argparse.Namespace, way: str, count: int) -> tuple[np.ndarray, float, mpm.Grid]:
    """Seconds and processor time for an image, peak memory in GiB, and the grid of the first image.

    Called in a process that does nothing else.
    """
    runtime.configure(options.threads, training=False)
    model = network(options)
    window, policy = model.input_shape[1], runtime.policy("auto")
    grids = {"dense": dense.grids, "windows": classification.grids}[way]
    windows = sliding_windows.Windows(window, window // 4, "inside")
    images = {"small": cloudy_image(count, (2 * window, 2 * window))}
    images |= {str(seed): cloudy_image(seed, (options.rows, options.columns)) for seed in range(count)}
    store = local_contrast.of(images, "local", window)
    found, *cost = after_first(grids([model], store, list(store), windows, "local", policy))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return np.array(cost) / count, peak, found[0][1]


def compare_dense(options: argparse.Namespace) -> None:
    """Print how much faster dense maps are, and what they need."""
    grids, seconds = {}, {}
    for way, count in (("dense", 12), ("windows", 2)):
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as apart:
            seconds[way], peak, grids[way] = apart.submit(maps, options, way, count).result()
        step = int(grids[way].centres_y[1] - grids[way].centres_y[0])
        print(
            f"{way}: {grids[way].probabilities.size} windows at a step of {step}, {seconds[way][0]:.2f} s, "
            f"{seconds[way][1]:.1f} s of processor time, for an image of {options.rows}×{options.columns}, "
            f"{peak:.1f} GiB at most"
        )
    both = [grid.map().ravel() for grid in grids.values()]
    faster, lighter = seconds["windows"] / seconds["dense"]
    print(
        f"{options.backbone}, {runtime.policy('auto')}, {provenance.processor()}, {options.threads} threads"
    )
    print(f"correlation of both maps {np.corrcoef(both)[0, 1]:.3f}")
    print(f"dense against windows {faster:.1f} times, {lighter:.1f} times less processor time")
    finer = grids["dense"].probabilities.size / grids["windows"].probabilities.size
    print(f"for each window {faster * finer:.1f} times, {lighter * finer:.1f} times less processor time")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--backbone", default="inceptionv3")
    parser.add_argument("--window", type=int, default=224)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dense", action="store_true")
    parser.add_argument("--rows", type=int, default=3328)
    parser.add_argument("--columns", type=int, default=1600)
    options = parser.parse_args()
    if options.dense:
        compare_dense(options)
        return
    runtime.configure(options.threads, training=False)
    model = network(options)
    window = model.input_shape[1]
    windows = sliding_windows.Windows(window, window // 4, "inside")
    precisions = ["float32", "mixed_bfloat16"]

    with tempfile.TemporaryDirectory() as folder:
        write_store(Path(folder) / "shard-0.h5", options.images, window)
        store = image_store.open_store(Path(folder) / "shard-0.h5")
        image = store["0"]
        cut = np.concatenate([batch.patches for batch in classification.sweep(image, windows)])
        normalized = gcn(cut)[..., None]
        networks = {kind: inference.Compiled(model, kind, inference.batch()) for kind in precisions}
        apart = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
        ways = {"keras predict, float32": lambda: apart.submit(keras_alone, options, image, windows).result()}
        ways |= {
            f"compiled, {kind}": lambda compiled=compiled: timed(network_alone, compiled, normalized)
            for kind, compiled in networks.items()
        }
        first = {way: function()[0] for way, function in ways.items()}  # builds what has to be built
        seconds: dict[str, list] = {way: [] for way in [*ways, *(f"store to grids, {k}" for k in precisions)]}
        for _ in range(options.repeats):
            for way, function in ways.items():
                seconds[way].append([len(cut), *function()[1:]])
            for kind in precisions:
                found = end_to_end(model, store, windows, kind, Path(folder) / "fold-0.h5")
                seconds[f"store to grids, {kind}"].append(found)
        apart.shutdown()

    exact = first.pop("keras predict, float32")
    print(f"{model.name}, {len(cut)} windows of {window}, p from {exact.min():.3f} to {exact.max():.3f}")
    for way, found in first.items():
        difference = np.abs(found - exact)
        print(f"{way}: |Δp| at most {difference.max():.1e}, on average {difference.mean():.1e}")
    base = np.array(seconds["keras predict, float32"])
    for way, rows in seconds.items():
        count, wall, processor = np.array(rows).T
        rate, each = np.median(count / wall), np.median(processor / count)
        faster = np.median((count / wall) / (base[:, 0] / base[:, 1]))
        lighter = np.median((base[:, 2] / base[:, 0]) / (processor / count))
        print(
            f"{way:30} {rate:6.1f} windows/s ({faster:.2f} times), "
            f"{1000 * each:5.1f} ms of processor ({lighter:.2f} times less)"
        )
    for kind in precisions:
        alone, whole = (np.array(seconds[f"{way}, {kind}"]) for way in ("compiled", "store to grids"))
        ratio = np.median((whole[:, 0] / whole[:, 1]) / (alone[:, 0] / alone[:, 1]))
        lighter = np.median((alone[:, 2] / alone[:, 0]) / (whole[:, 2] / whole[:, 0]))
        print(f"store to grids, {kind}: {ratio:.2f} of the network's rate, {lighter:.2f} by processor time")


if __name__ == "__main__":
    main()
