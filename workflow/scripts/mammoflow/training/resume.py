"""Checkpoint after each completed epoch, from which an interrupted training resumes.

Keras' ``BackupAndRestore`` keeps weights, optimiser and epoch, but not the best weights so far, the
epochs without improvement and the history. It also replaces two files one after the other: if a process
is killed in between, training resumes with the weights of one epoch and the number of another.
"""

import glob
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mammoflow.base import logs, storage

_DIGEST = hashlib.sha256().digest_size

Arrays = Mapping[str, Sequence[np.ndarray]]


def identity(**facts: object) -> str:
    """Digest of everything that the result of a training depends on.

    Parameters
    ----------
    **facts
        Settings, seed, digests of the inputs and of the code, versions and threads, as JSON values.

    Returns
    -------
    str
        SHA-256; it does not depend on the order of the facts.
    """
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Checkpoint:
    """File that holds the state of a training between its epochs.

    Parameters
    ----------
    path : Path
        The file: a SHA-256 digest followed by an uncompressed NumPy archive. It must not be a declared
        output of a rule, because Snakemake deletes outputs before a job starts.
    identity : str
        Result of `identity` for the training; the state of another training is ignored.
    """

    path: Path
    identity: str

    def write(self, facts: Mapping[str, object], arrays: Arrays) -> None:
        """Replace the kept state; the old one stays until the new one is completely written.

        Parameters
        ----------
        facts : mapping
            JSON values by name.
        arrays : mapping of str to sequence of ndarray
            Arrays in order, by name of their group.
        """
        members = {
            f"{group}/{number:05d}": array
            for group, members in arrays.items()
            for number, array in enumerate(members)
        }
        with storage.whole(self.path) as temporary, open(temporary, "w+b") as file:
            file.write(bytes(_DIGEST))
            np.savez(file, identity=self.identity, facts=json.dumps(facts), **members)
            file.seek(_DIGEST)
            digest = hashlib.file_digest(file, "sha256").digest()
            file.seek(0)
            file.write(digest)

    def read(self) -> tuple[dict[str, object], dict[str, list[np.ndarray]]] | None:
        """Read facts and arrays; None if the file is missing, damaged or of another training.

        Partial files of a process that was killed while writing are removed.
        """
        for partial in self.path.parent.glob(f".*.partial.{glob.escape(self.path.name)}"):
            partial.unlink()
        if not self.path.is_file():
            return None
        with open(self.path, "rb") as file:
            digest = file.read(_DIGEST)
            if digest != hashlib.file_digest(file, "sha256").digest():
                return self._ignored("it is damaged")
            file.seek(_DIGEST)
            with np.load(file) as archive:
                if archive["identity"] != self.identity:
                    return self._ignored("it belongs to other inputs, settings or code")
                arrays: dict[str, list[np.ndarray]] = {}
                for name in archive.files:
                    if "/" in name:
                        arrays.setdefault(name.partition("/")[0], []).append(archive[name])
                return json.loads(archive["facts"].item()), arrays

    def _ignored(self, why: str) -> None:
        logs.announce(f"{self.path}: the state of an interrupted training is ignored because {why}")

    def remove(self) -> None:
        """Remove the state after the results of the training have been written."""
        self.path.unlink(missing_ok=True)
