"""What the check of a machine computes, each task in a process of its own, as a job of a study has.

    python -m mammoflow.application.machine_work TASK FOLDER NAME

The folder has the bank that `machine_check` made; the task prints one line of JSON. A process holds its GPU
until it ends, so that the next one waits, as jobs of a study do.
"""

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from mammoflow.application.machine_check import BANK, STATE
from mammoflow.detection import classification
from mammoflow.networks import backbones, runtime
from mammoflow.networks.normalization import normalize
from mammoflow.patches import bank
from mammoflow.training import fitting, resume
from mammoflow.training.augmentation import Augmentation
from mammoflow.training.feed import Feed

_SMALL, _LARGE = "compact", "inceptionv3"
_BATCH = 32
_VIEWS = Augmentation(flip=True, rotation_degrees=30, scale=(0.75, 1.25))

# Seconds that a rate is measured for, at least.
_SECONDS = 5


def devices() -> dict[str, object]:
    """GPUs that TensorFlow sees, without reserving one."""
    found = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(device) for device in found]
    return {
        "gpus": [
            {
                "name": each.get("device_name", "unknown"),
                "capability": list(each.get("compute_capability", ())),
            }
            for each in details
        ],
        "tensorflow": tf.__version__,
        "with_cuda": tf.test.is_built_with_cuda(),
    }


def steps(folder: Path) -> dict[str, object]:
    """Distance of the gradients of a step from those on the processor in float32, by precision.

    It is the norm of the difference over the norm on the processor, of all weights of the large network.
    """
    runtime.configure(_threads())
    with bank.open_bank(folder / BANK, 0) as opened:
        batch = opened.train.read(np.arange(8))
        labels = opened.train.labels[:8]
    pixels = tf.cast(batch.patches, tf.float32)
    patches = normalize(pixels, batch.minimum, batch.maximum, "gcn")[..., None]
    device = "/GPU:0" if runtime.on_gpu() else "/CPU:0"
    keras.utils.set_random_seed(0)
    with tf.device("/CPU:0"):
        first = backbones.build(_LARGE, int(patches.shape[1]), "float32")
        expected = _gradients(first, patches, labels)
    found = {}
    for policy in ("float32", "mixed_bfloat16"):
        with tf.device(device):
            model = backbones.build(_LARGE, int(patches.shape[1]), policy)
            model.set_weights(first.get_weights())
            gradients = _gradients(model, patches, labels)
        found[policy] = float(np.linalg.norm(gradients - expected) / np.linalg.norm(expected))
    return {"device": device, "distance": found}


def _gradients(model: keras.Model, patches: tf.Tensor, labels: np.ndarray) -> np.ndarray:
    with tf.GradientTape() as tape:
        answers = tf.cast(model(patches, training=False), tf.float32)
        loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(labels, answers))
    gradients = tape.gradient(loss, model.trainable_variables)
    return np.concatenate([np.ravel(tf.cast(each, tf.float32)) for each in gradients])


def train(folder: Path, name: str) -> dict[str, object]:
    """Train the small network for a few epochs, from a state of its own where there is one."""
    runtime.configure(_threads())
    begun = time.time()
    settings = fitting.Settings(
        batch=_BATCH,
        epochs=12,
        patience=20,
        learning_rate={"random": 1e-3, "pretrained": 1e-4},
        schedule="constant",
        lesion_balance=0,
        layers="all",
        steps_per_epoch=8,
        parts=1,
        gpus=1,
        precision="float32",
        batch_normalization_momentum=None,
        augmentation=_VIEWS,
    )
    checkpoint = resume.Checkpoint(folder / name / STATE, resume.identity(check=name))
    with bank.open_bank(folder / BANK, 0, fitting.MEMORY) as opened:
        model, _ = fitting.start(_SMALL, opened.window, settings.precision, [], [], 5)
        fitted = fitting.fit(model, opened, settings, 1e-3, "gcn", 5, name, checkpoint)
    checkpoint.remove()
    weights = hashlib.sha256(b"".join(each.tobytes() for each in fitted.model.get_weights()))
    return {
        "weights": weights.hexdigest(),
        "from": begun,
        "to": time.time(),
        "patches_per_second": fitted.patches_per_second,
    }


def speed(folder: Path) -> dict[str, object]:
    """Patches a second of the feed, of the steps of the large network, and windows of its maps."""
    runtime.configure(_threads())
    policy = runtime.policy("auto")
    with bank.open_bank(folder / BANK, 0, fitting.MEMORY) as opened:
        feed = Feed(opened.train, _BATCH, "gcn")
        model = backbones.build(_LARGE, opened.window, policy)
        trained = feed.into(model)
        trained.compile(keras.optimizers.Adam(1e-5), "sparse_categorical_crossentropy")
        stream = feed.training(10**6, _VIEWS, 0)
        batches = iter(stream)
        return {
            "precision": policy,
            "network": _LARGE,
            "feed_patches_per_second": _rate(iter(stream.as_numpy_iterator()).__next__, _BATCH),
            "step_patches_per_second": _rate(lambda: trained.train_on_batch(*next(batches)), _BATCH),
            "map_windows_per_second": _map_rate(opened.train),
        }


def _rate(call: Callable[[], object], count: int) -> float:
    """How much a call that yields so many does in a second, after one that is not counted."""
    call()
    begun, calls = time.perf_counter(), 0
    while time.perf_counter() - begun < _SECONDS:
        call()
        calls += 1
    return count * calls / (time.perf_counter() - begun)


def _map_rate(part: bank.Part) -> float:
    """Windows a second that the large network classifies for maps, once its precision is chosen."""
    model = backbones.build(_LARGE, part.window, "float32")

    def classified() -> float:
        begun = time.perf_counter()
        count = len(classification.probabilities([model], part.batches(256), "gcn", "auto"))
        return count / (time.perf_counter() - begun)

    classified()
    return classified()


def _threads() -> int:
    return os.cpu_count() or 1


def main(task: str, folder: str, name: str) -> None:
    """Do one task and print what it found."""
    tasks = {
        "devices": devices,
        "steps": lambda: steps(Path(folder)),
        "train": lambda: train(Path(folder), name),
        "speed": lambda: speed(Path(folder)),
    }
    print(json.dumps(tasks[task]()))


if __name__ == "__main__":
    main(*sys.argv[1:])
