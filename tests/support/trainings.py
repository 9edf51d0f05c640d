"""Small trainings for tests, in separate processes that a test may kill."""

import importlib
import multiprocessing
import os
import signal
import sys
import tempfile
from multiprocessing import forkserver
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np

from mammoflow.networks import architectures
from mammoflow.patches import bank, cutting, sliding_windows

WINDOW = 32
SETTINGS = {
    "batch": 16,
    "epochs": 3,
    "patience": 10,
    "learning_rate": {"random": 1e-3, "pretrained": 1e-6},
    "schedule": "constant",
    "lesion_balance": 0,
    "layers": "all",
    "steps_per_epoch": None,
    "parts": 1,
    "gpus": 1,
    "precision": "float32",
    "batch_normalization_momentum": None,
    "augmentation": {"flip": True, "rotation_degrees": 30, "scale": [0.75, 1.25]},
}

# A user's network, as docs/networks.md describes it; with everything that has a state, or without.
OWN = """
from mammoflow.networks.architectures import Network, average


def body(window, weights):
    import keras
    from keras import layers

    image = keras.Input((window, window, 3))
    x = layers.Conv2D(8, 3, 2, use_bias=False, name="conv")(image)
    x = layers.BatchNormalization(momentum=0.9, name="norm")(x)
    x = layers.ReLU()(x)
    return keras.Model(image, layers.Dropout(0.5)(x), name="own")


NETWORK = Network("our own", 16, imagenet=False, body=body, head=average)
"""
PLAIN = OWN.replace("layers.BatchNormalization(momentum=0.9", "layers.Activation('linear'").replace(
    "0.5", "0.0"
)


def add_network(folder: Path, text: str = OWN) -> None:
    """Make `own` a network, as its module in the package would."""
    (folder / "own.py").write_text(text)
    architectures.__path__.append(str(folder))
    importlib.invalidate_caches()


def image(number: int) -> SimpleNamespace:
    """Noise, with a bright disc where the mass is."""
    generator = np.random.default_rng(number)
    y, x = np.mgrid[:96, :80]
    mass = (np.hypot(y - 48, x - 40) < 12) & (number % 2 == 1)
    pixels = generator.normal(1000, 60, mass.shape) + 400 * mass
    return SimpleNamespace(
        pixels=pixels.astype(np.uint16),
        breast=np.ones(mass.shape, bool),
        lesions=mass.astype(np.uint8),
        masses=number % 2,
    )


def write_bank(path: Path) -> None:
    """Bank of patches with and without a disc."""
    store = {f"{n:02}": image(n) for n in range(18)}
    parts = {part: sorted(store)[6 * n : 6 * n + 6] for n, part in enumerate(bank.PARTS)}
    windows = sliding_windows.Windows(WINDOW, 8, "centred")
    cutting.write(path, {0: parts}, store, store, windows, "normal-images", (0, "bank"))


def train(
    folder: Path,
    name: str,
    stop: tuple[str, int, int] | None = None,
    network: str = OWN,
    devices: int = 1,
    **changes: object,
) -> None:
    """Train `own` on the bank of the folder; leave state, weights and history there under a name.

    A stop is a place, an epoch from 1 and a signal that the process sends itself there: in a ``batch``,
    while the state is ``writing``, when it is ``kept``. Of more devices than one, each is a part of the
    processor.
    """
    (folder / name).mkdir(exist_ok=True)
    log = os.open(folder / name / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    import tensorflow as tf

    from mammoflow.base import storage
    from mammoflow.networks import runtime
    from mammoflow.training import callbacks, fitting, resume

    add_network(Path(tempfile.mkdtemp(dir=folder)), network)
    runtime.configure(1)
    processor = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * devices)
    strategy = runtime.strategy([f"CPU:{number}" for number in range(devices)])
    assert strategy.num_replicas_in_sync == devices
    settings = fitting.Settings.from_config(SETTINGS | changes)
    here = SimpleNamespace(epoch=0)

    def at(place: str) -> None:
        if stop and stop[:2] == (place, here.epoch):
            os.kill(os.getpid(), stop[2])

    class Stop(callbacks.Progress):
        def on_epoch_begin(self, epoch, logs=None):
            super().on_epoch_begin(epoch, logs)
            here.epoch = epoch + 1

        def on_train_batch_end(self, batch, logs=None):
            super().on_train_batch_end(batch, logs)
            if batch == 1:
                at("batch")

    class Kept(callbacks.Keep):
        def on_epoch_end(self, epoch, logs=None):
            super().on_epoch_end(epoch, logs)
            at("kept")

    sync = storage._sync

    def half(path):
        if path.name.endswith("run.state"):
            os.truncate(path, path.stat().st_size // 2)
            at("writing")
            raise AssertionError("it should not have come to this")
        sync(path)

    fitting.Progress, fitting.Keep = Stop, Kept
    if stop and stop[0] == "writing":
        storage._sync = lambda path: half(path) if here.epoch == stop[1] else sync(path)

    checkpoint = resume.Checkpoint(folder / name / "run.state", resume.identity(settings=SETTINGS | changes))
    with bank.open_bank(folder / "bank.h5", 0) as opened, strategy.scope():
        model, _ = fitting.start("own", WINDOW, settings.precision, [], [], 5)
        fitted = fitting.fit(
            model, opened, settings, 3e-3, "gcn", 5, "own", checkpoint, folder / name / "events"
        )
    fitted.history.to_csv(folder / name / "history.csv")
    values = {str(number): value for number, value in enumerate(fitted.model.get_weights())}
    np.savez(folder / name / "weights.npz", best_epoch=fitted.best_epoch, **values)


def server() -> multiprocessing.context.BaseContext:
    """Processes that begin with TensorFlow imported, and nothing computed."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["mammoflow.training.fitting"])
    # For the server alone: a Snakemake that a later test starts would find this package before its own.
    with mock.patch.dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)):
        forkserver.ensure_running()
    return context


def ended(process: multiprocessing.Process, seconds: float | None = None) -> int:
    """How a process ends; killed when it is not done after some seconds."""
    process.join(seconds)
    if process.is_alive():
        os.kill(process.pid, signal.SIGKILL)
        process.join()
    return process.exitcode
