"""The machine that TensorFlow runs on: threads, determinism, GPUs, precision."""

import fcntl
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import keras
import tensorflow as tf

from mammoflow.base import logs

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")

# Seconds between two looks for a free GPU.
_PAUSE = 2


def configure(threads: int, gpus: int = 1, training: bool = True) -> None:
    """Set TensorFlow up for a job, before anything runs in it.

    Parameters
    ----------
    threads : int
        Threads that computations may use; what training gives can differ in its last bits between
        thread counts, and is equal for equal ones.
    gpus : int, optional
        GPUs that the job uses; with one of them, and none there, it computes on the processor.
    training : bool, optional
        Whether what runs comes step after step, each on all threads. Otherwise it is calls of a graph that
        do not wait for each other: on a processor each has one thread, and graphs are rewritten, which
        pays where one runs for long. The number of threads changes nothing in what such calls give there.

    Raises
    ------
    ValueError
        When the machine has fewer GPUs.
    """
    found = tf.config.list_physical_devices("GPU")
    tf.config.set_visible_devices([found[place] for place in claim(len(found), gpus)], "GPU")
    tf.config.threading.set_intra_op_parallelism_threads(threads if training or on_gpu() else 1)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    tf.config.experimental.enable_op_determinism()
    for gpu in _gpus():
        tf.config.experimental.set_memory_growth(gpu, True)
    if training and not on_gpu():
        # Rewriting the graphs of large networks takes longer than a small run, and gains nothing in training:
        # the first step of ResNet50 takes 25 s with it and 9 s without.
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


def _gpus() -> list[tf.config.PhysicalDevice]:
    return tf.config.get_visible_devices("GPU")


def on_gpu() -> bool:
    """Whether the job has a GPU."""
    return bool(_gpus())


def claim(there: int, wanted: int, folder: str | Path | None = None) -> list[int]:
    """GPUs for this job, which no other job of the user has; waits until they are free.

    Where ``CUDA_VISIBLE_DEVICES`` is set, a scheduler has chosen, and nobody waits.

    Parameters
    ----------
    there, wanted : int
        How many GPUs the job sees and uses.
    folder : str or Path, optional
        Of the lock files; they are let go when the process ends, however it ends.

    Returns
    -------
    list of int
        Places among the GPUs that are there; of none, where one is wanted.

    Raises
    ------
    ValueError
        When fewer are there than wanted.
    """
    if not there and wanted == 1:
        return []
    if there < wanted:
        raise ValueError(f"training.gpus: expected at most {there}, as many as this job sees, got {wanted}")
    if "CUDA_VISIBLE_DEVICES" in os.environ:
        return list(range(wanted))
    folder = Path(folder or tempfile.gettempdir(), f"mammoflow-gpus-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    waiting = False
    while True:
        held: dict[int, int] = {}
        for place in range(there):
            if len(held) < wanted and (lock := _lock(folder / str(place))) is not None:
                held[place] = lock
        if len(held) == wanted:
            return list(held)
        for lock in held.values():
            os.close(lock)
        if not waiting:
            logs.announce(f"{wanted} of {there} GPUs wanted, {len(held)} free: waiting for other jobs")
        waiting = True
        time.sleep(_PAUSE)


def _lock(path: Path) -> int | None:
    """Descriptor of a file that this process alone holds until its end; nothing where another one does."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def strategy(devices: Sequence[str] | None = None) -> tf.distribute.Strategy:
    """How a network is shared out: each device holds all of it, and computes its share of a batch.

    Parameters
    ----------
    devices : sequence of str, optional
        TensorFlow's names; the GPUs of the job when left out. One, or none, needs no sharing.

    Returns
    -------
    tf.distribute.Strategy
        To be entered with its ``scope()`` where networks are built and trained.
    """
    names = devices or [f"GPU:{place}" for place in range(len(_gpus()))]
    return tf.distribute.MirroredStrategy(names) if len(names) > 1 else tf.distribute.get_strategy()


def policy(precision: str) -> str:
    """Keras' policy of a config value.

    Parameters
    ----------
    precision : {'auto', 'float32', 'mixed_bfloat16', 'mixed_float16'}
        ``auto`` takes bfloat16 where the hardware computes it (GPUs of compute capability 8.0 or more,
        processors with AVX512-BF16 or AMX), else float16 on GPUs that compute it (7.0), else float32.

    Raises
    ------
    ValueError
        When the value is none of these.
    """
    if precision == "auto":
        return _gpu_policy() if on_gpu() else _processor_policy()
    if precision not in PRECISIONS:
        raise ValueError(f"training.precision: expected auto, {', '.join(PRECISIONS)}, got {precision!r}")
    return precision


def _gpu_policy() -> str:
    details = [tf.config.experimental.get_device_details(gpu) for gpu in _gpus()]
    capability = min(detail.get("compute_capability", (0, 0)) for detail in details)
    if capability >= (8, 0):
        return "mixed_bfloat16"
    return "mixed_float16" if capability >= (7, 0) else "float32"


def _processor_policy() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    flags = set(cpuinfo.read_text().split()) if cpuinfo.is_file() else set()
    return "mixed_bfloat16" if flags & {"avx512_bf16", "amx_bf16"} else "float32"


def facts() -> dict[str, object]:
    """What provenance records of the machine beside the processor."""
    details = [tf.config.experimental.get_device_details(gpu) for gpu in _gpus()]
    return {
        "threads": tf.config.threading.get_intra_op_parallelism_threads(),
        "gpus": [detail.get("device_name", "") for detail in details],
        "keras_backend": keras.backend.backend(),
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "default"),
    }
