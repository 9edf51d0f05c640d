"""The machine that TensorFlow runs on: threads, determinism, precision."""

from pathlib import Path

import keras
import tensorflow as tf

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


def configure(threads: int) -> None:
    """Set TensorFlow up for a job, before anything runs in it.

    Parameters
    ----------
    threads : int
        Threads that computations may use; results can differ in their last bits between thread
        counts, and are equal for equal ones.
    """
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    tf.config.experimental.enable_op_determinism()
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)
    if not on_gpu():
        # Rewriting the graphs of large networks takes longer than a small run, and gains nothing here:
        # the first step of ResNet50 takes 25 s with it and 9 s without.
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


def on_gpu() -> bool:
    """Whether TensorFlow sees a GPU."""
    return bool(tf.config.list_physical_devices("GPU"))


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
    gpus = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
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
    gpus = tf.config.list_physical_devices("GPU")
    return {
        "threads": tf.config.threading.get_intra_op_parallelism_threads(),
        "gpus": [tf.config.experimental.get_device_details(gpu).get("device_name", "") for gpu in gpus],
        "keras_backend": keras.backend.backend(),
    }
