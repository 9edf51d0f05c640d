"""Configures TensorFlow for the machine: threads, determinism, GPUs and precision."""

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

# Seconds between two checks for a free GPU.
_PAUSE = 2


def configure(threads: int, gpus: int = 1, training: bool = True) -> None:
    """Configure TensorFlow for a job; must be called before any computation.

    Parameters
    ----------
    threads : int
        Number of threads. Results of training are reproducible for the same number of threads, but can
        differ in the last bits between different numbers.
    gpus : int, optional
        Number of GPUs that the job uses. If it is 1 and there is no GPU, the job runs on the processor.
    training : bool, optional
        True: steps run one after the other, each on all threads. False: independent calls of a graph run in
        parallel; on a processor each call then has one thread, so that its result does not depend on the
        number of threads, and graphs are optimised, which pays off for long runs.

    Raises
    ------
    ValueError
        When the machine has fewer GPUs.
    """
    devices = tf.config.list_physical_devices("GPU")
    tf.config.set_visible_devices([devices[place] for place in claim(len(devices), gpus)], "GPU")
    tf.config.threading.set_intra_op_parallelism_threads(threads if training or on_gpu() else 1)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    tf.config.experimental.enable_op_determinism()
    for gpu in _gpus():
        tf.config.experimental.set_memory_growth(gpu, True)
    if training and not on_gpu():
        # Optimising the graphs of large networks takes longer than a small run and does not speed up
        # training: the first step of ResNet50 takes 25 s with it and 9 s without.
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


def _gpus() -> list[tf.config.PhysicalDevice]:
    return tf.config.get_visible_devices("GPU")


def on_gpu() -> bool:
    """Whether the job has a GPU."""
    return bool(_gpus())


def claim(there: int, wanted: int, folder: str | Path | None = None) -> list[int]:
    """Reserve GPUs that no other job of the user has reserved; wait until enough are free.

    If ``CUDA_VISIBLE_DEVICES`` is set, a scheduler has already assigned the GPUs and nothing is reserved.

    Parameters
    ----------
    there, wanted : int
        Number of GPUs that the job sees, and that it needs.
    folder : str or Path, optional
        Folder of the lock files; the locks are released when the process ends, even if it is killed.

    Returns
    -------
    list of int
        Indices of the reserved GPUs; empty if one is wanted but the machine has none.

    Raises
    ------
    ValueError
        When fewer GPUs are visible than wanted.
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
    """Lock a file until this process ends and return its descriptor; None if another process holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def strategy(devices: Sequence[str] | None = None) -> tf.distribute.Strategy:
    """TensorFlow's strategy for several GPUs: each holds the entire network and computes part of a batch.

    Parameters
    ----------
    devices : sequence of str, optional
        TensorFlow's device names; by default the GPUs of the job. With at most one device, the default
        strategy is returned.

    Returns
    -------
    tf.distribute.Strategy
        Networks must be built and trained within its ``scope()``.
    """
    names = devices or [f"GPU:{place}" for place in range(len(_gpus()))]
    return tf.distribute.MirroredStrategy(names) if len(names) > 1 else tf.distribute.get_strategy()


def policy(precision: str) -> str:
    """Keras' dtype policy for the config key ``training.precision``.

    Parameters
    ----------
    precision : {'auto', 'float32', 'mixed_bfloat16', 'mixed_float16'}
        ``auto`` selects bfloat16 if the hardware supports it (GPUs of compute capability 8.0 or more,
        processors with AVX512-BF16 or AMX), else float16 on GPUs that support it (7.0), else float32.

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
    """Properties of the machine, other than the processor, that are recorded as provenance."""
    details = [tf.config.experimental.get_device_details(gpu) for gpu in _gpus()]
    return {
        "threads": tf.config.threading.get_intra_op_parallelism_threads(),
        "gpus": [detail.get("device_name", "") for detail in details],
        "keras_backend": keras.backend.backend(),
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "default"),
    }


def forget() -> None:
    """Free the memory of networks that are no longer used, which Keras keeps otherwise."""
    keras.utils.clear_session()
