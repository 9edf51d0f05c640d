"""Records the provenance of results: code, environment and machine."""

import hashlib
import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import pandas as pd

from mammoflow.base import storage

_REPOSITORY = Path(__file__).resolve().parents[4]
_PACKAGES = ("tensorflow", "tensorflow-cpu", "keras", "numpy", "numba", "scikit-image", "h5py", "pandas")
_DECODERS = ("pydicom", "python-gdcm")


def record(**facts: object) -> dict[str, object]:
    """Collect everything that is needed to repeat a computation.

    Parameters
    ----------
    **facts
        Additional entries from the stage, such as threads, precision, settings and digests of its inputs.

    Returns
    -------
    dict
        Code version, package versions, machine, and the facts, as JSON values.
    """
    return {
        "commit": _git("rev-parse", "HEAD"),
        "dirty": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "locks": {file.name: storage.sha256(file) for file in sorted(_REPOSITORY.glob("envs/*.lock"))},
        "python": platform.python_version(),
        "packages": packages(),
        "decoders": {name: _version(name) for name in _DECODERS if _version(name)},
        "processor": processor(),
        "system": platform.platform(),
        "processors_available": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        **facts,
    }


def packages() -> dict[str, str]:
    """Versions of the packages that results are computed with."""
    return {name: _version(name) for name in _PACKAGES if _version(name)}


def fingerprint(stored: pd.DataFrame, lesions: pd.DataFrame) -> str:
    """Digest of a data set as it was used: the stored images and their lesions.

    Parameters
    ----------
    stored, lesions : pandas.DataFrame
        Tables ``stored`` of all shards and ``lesions``; the order of rows and columns has no effect.

    Returns
    -------
    str
        SHA-256.
    """
    digest = hashlib.sha256()
    for frame in (stored, lesions):
        columns = sorted(frame)
        digest.update(frame[columns].sort_values(columns).to_csv(index=False).encode())
    return digest.hexdigest()


def _git(*arguments: str) -> str:
    """Output of a git command on this checkout; empty if there is no git or no checkout."""
    try:
        answer = subprocess.run(
            ["git", "-C", str(_REPOSITORY), *arguments], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return ""
    return answer.stdout.strip()


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def processor() -> str:
    """Name of the processor, as far as the system provides it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
