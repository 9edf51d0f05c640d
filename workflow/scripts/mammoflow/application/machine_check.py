"""Checks in a few minutes whether a machine trains and detects right, and how fast."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import TextIO

import numpy as np

from mammoflow.base import storage
from mammoflow.patches import bank, cutting, sliding_windows

# Files of the work, in its folder.
BANK, STATE = "bank.h5", "run.state"

# Greatest distance of a step's gradients from those on the processor in float32. GPUs of compute capability 8
# round the factors of float32 products to ten bits.
DISTANCES = {"float32": 5e-3, "mixed_bfloat16": 0.15}

_WINDOW = 96
_IMAGES = 12

# Seconds between two looks at a GPU, or at the state of a training.
_PAUSE = 0.2

# Seconds after which a task is given up.
_LONGEST = 900


@dataclass(frozen=True)
class Check:
    """The result of one check.

    Parameters
    ----------
    name : str
        What was checked.
    passed : bool or None
        None where it could not be checked on this machine, or is only measured.
    sentence : str
        What was found.
    measured : dict
        The numbers.
    """

    name: str
    passed: bool | None
    sentence: str
    measured: dict[str, object] = field(default_factory=dict)


def run(out: Path, tell: TextIO) -> list[Check]:
    """Check the machine, print a sentence for each check, and write all of it as JSON.

    Parameters
    ----------
    out : Path
        The JSON file.
    tell : file
        Where the sentences are printed.
    """
    checks = []
    with tempfile.TemporaryDirectory() as folder:
        write_bank(Path(folder) / BANK)
        for check in _checks(Path(folder)):
            mark = {True: "ok", False: "FAILED", None: "--"}[check.passed]
            print(f"{mark:7}{check.name}: {check.sentence}", file=tell, flush=True)
            checks.append(check)
    with storage.whole(out) as temporary:
        temporary.write_text(json.dumps([asdict(check) for check in checks], indent=2) + "\n")
    return checks


def _checks(folder: Path) -> Iterator[Check]:
    found = _task("devices", folder)
    yield device(found, shutil.which("nvidia-smi") is not None)
    yield distances(_task("steps", folder))
    alone = _task("train", folder, "alone")
    yield resumed(alone["weights"], _interrupted(folder))
    # Jobs that a scheduler gave a GPU, and jobs with one each, need not wait for each other.
    takes_turns = len(found["gpus"]) == 1 and "CUDA_VISIBLE_DEVICES" not in os.environ
    yield apart(alone["weights"], _together(folder), takes_turns)
    with _watched_gpu() as shares:
        rates = _task("speed", folder)
    yield speeds(rates)
    yield busy(shares)


# ---- what is concluded -------------------------------------------------------------------------------


def device(found: dict, listed: bool) -> Check:
    """Which GPU TensorFlow sees; `listed` says whether the machine has NVIDIA's driver."""
    if found["gpus"]:
        names = ", ".join(f"{each['name']}" for each in found["gpus"])
        return Check("device", True, f"TensorFlow {found['tensorflow']} sees {names}", found)
    if listed and not found["with_cuda"]:
        return Check(
            "device", False, "the machine has a GPU, this TensorFlow none: use make env GPU=1", found
        )
    if listed:
        return Check(
            "device", False, "the machine has a GPU, but TensorFlow sees none: is the driver too old?", found
        )
    return Check("device", None, "no GPU here; what follows is about the processor", found)


def distances(found: dict) -> Check:
    """Whether a step computes what the processor does in float32."""
    on_gpu = "GPU" in found["device"]
    measured = {name: value for name, value in found["distance"].items() if on_gpu or name != "float32"}
    wrong = [name for name, distance in measured.items() if not distance <= DISTANCES[name]]
    each = ", ".join(
        f"{name} {distance:.1e} (at most {DISTANCES[name]:g})" for name, distance in measured.items()
    )
    where = "the GPU" if on_gpu else "the processor"
    return Check(
        "step",
        not wrong,
        f"gradients of InceptionV3 on {where} against float32 on the processor: {each}",
        found,
    )


def resumed(expected: str, weights: str) -> Check:
    """Whether a training that was killed and resumed ends with the same weights."""
    same = weights == expected
    return Check(
        "resume",
        same,
        f"a training that was killed and resumed ends with {'the same' if same else 'OTHER'} weights, "
        "bit by bit",
    )


def apart(expected: str, both: list[dict], gpu: bool) -> Check:
    """Whether two trainings at once give what one gives; `gpu`: there is one, and they must take turns."""
    same = all(each["weights"] == expected for each in both)
    first, second = sorted(both, key=lambda each: each["from"])
    overlapped = second["from"] < first["to"]
    measured = {"same_weights": same, "at_the_same_time": overlapped}
    if gpu:
        words = "at the same time on one GPU, without waiting" if overlapped else "one after the other"
        passed = same and not overlapped
    else:
        words, passed = "at the same time" if overlapped else "one after the other", same
    result = "the weights of one alone" if same else "OTHER weights than one alone"
    return Check(
        "two jobs", passed, f"two trainings that were started together ran {words}: {result}", measured
    )


def speeds(found: dict) -> Check:
    """How fast the feed, a step and the maps are."""
    return Check(
        "speed",
        None,
        f"InceptionV3 at {_WINDOW} pixels, {found['precision']}: feed {found['feed_patches_per_second']:.0f} "
        f"patches/s, training {found['step_patches_per_second']:.0f} patches/s, maps "
        f"{found['map_windows_per_second']:.0f} windows/s",
        found,
    )


def busy(shares: list[float]) -> Check:
    """Share of the time that the GPU works while speeds are measured."""
    if not shares:
        return Check("use", None, "no GPU whose use is known")
    mean = float(np.mean(shares))
    return Check(
        "use", None, f"the GPU worked {mean:.0%} of the time", {"mean": mean, "samples": len(shares)}
    )


# ---- what is done ------------------------------------------------------------------------------------


def write_bank(path: Path) -> None:
    """Bank of noise, with a bright disc in each second image."""
    side = 3 * _WINDOW
    y, x = np.mgrid[:side, :side]

    def image(number: int) -> SimpleNamespace:
        generator = np.random.default_rng(number)
        mass = (np.hypot(y - side / 2, x - side / 2) < side / 6) & (number % 2 == 1)
        pixels = (generator.normal(1000, 60, mass.shape) + 400 * mass).astype(np.uint16)
        breast = np.ones(mass.shape, bool)
        return SimpleNamespace(pixels=pixels, breast=breast, lesions=mass.astype(np.uint8), masses=number % 2)

    store = {f"{number:02}": image(number) for number in range(_IMAGES)}
    third = _IMAGES // len(bank.PARTS)
    parts = {part: sorted(store)[third * n : third * (n + 1)] for n, part in enumerate(bank.PARTS)}
    windows = sliding_windows.Windows(_WINDOW, 6, "centred")
    cutting.write(path, {0: parts}, store, store, windows, "normal-images", (0, "machine"))


def _start(task: str, folder: Path, name: str = "") -> subprocess.Popen:
    command = [sys.executable, "-m", "mammoflow.application.machine_work", task, str(folder), name]
    env = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)


def _ended(process: subprocess.Popen, task: str) -> dict:
    try:
        output, errors = process.communicate(timeout=_LONGEST)
    except subprocess.TimeoutExpired as error:
        process.kill()
        process.communicate()
        raise ValueError(f"{task}: expected an end within {_LONGEST} s, got none") from error
    if process.returncode:
        raise ValueError(
            f"{task}: expected a process that ends well, got status {process.returncode} ({_last(errors)})"
        )
    return json.loads(output.strip().splitlines()[-1])


def _last(errors: str) -> str:
    return (errors.strip().splitlines() or ["nothing said"])[-1]


def _task(task: str, folder: Path, name: str = "") -> dict:
    return _ended(_start(task, folder, name), task)


def _interrupted(folder: Path) -> str:
    """Weights of a training that is killed when it has kept a state, and started again."""
    state = folder / "interrupted" / STATE
    process = _start("train", folder, "interrupted")
    until = time.monotonic() + _LONGEST
    while process.poll() is None and not state.is_file() and time.monotonic() < until:
        time.sleep(_PAUSE / 20)
    process.send_signal(signal.SIGKILL)
    _, errors = process.communicate()
    if not state.is_file():
        raise ValueError(
            f"train: expected a state that a killed training goes on from, got none ({_last(errors)})"
        )
    return _task("train", folder, "interrupted")["weights"]


def _together(folder: Path) -> list[dict]:
    processes = [_start("train", folder, name) for name in ("one", "other")]
    return [_ended(process, "train") for process in processes]


@contextmanager
def _watched_gpu() -> Iterator[list[float]]:
    """Shares of the time that the busiest GPU works, looked at all the while; none without NVIDIA's tool."""
    shares, done = [], threading.Event()

    def watch() -> None:
        while not done.wait(_PAUSE) and (share := _share_now()) is not None:
            shares.append(share)

    if shutil.which("nvidia-smi") is None:
        yield shares
        return
    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield shares
    finally:
        done.set()
        watching.join()


def _share_now() -> float | None:
    """Share of the time that the busiest GPU works; None where it is not known, as for parts of a GPU."""
    query = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
    said = subprocess.run(query, capture_output=True, text=True, check=False).stdout.split()
    return max((int(share) / 100 for share in said if share.isdecimal()), default=None)
