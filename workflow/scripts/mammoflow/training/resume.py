"""What a killed training goes on from: its state after the last whole epoch, whole, checked and its own.

Keras' ``BackupAndRestore`` keeps weights, optimiser and epoch. It lacks the best weights so far, the
patience that is used up and the history, and it replaces two files one after the other, so that a
process killed between them goes on from weights of one epoch under the number of another.
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
    """Digest of everything that a training's outcome depends on.

    Parameters
    ----------
    **facts
        JSON-ready: settings, seed, digests of the inputs and of the code, versions, threads.

    Returns
    -------
    str
        SHA-256; equal for equal facts, in whatever order.
    """
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Checkpoint:
    """Where the state of one training is kept between its epochs.

    Parameters
    ----------
    path : Path
        A file that no rule declares as its output: Snakemake deletes those before a job starts. It holds
        a SHA-256 digest and, under it, an uncompressed NumPy archive.
    identity : str
        Of the training; a state of another one is not read.
    """

    path: Path
    identity: str

    def write(self, facts: Mapping[str, object], arrays: Arrays) -> None:
        """Replace the state by this one; until it is whole the one before stays.

        Parameters
        ----------
        facts : mapping
            JSON-ready.
        arrays : mapping of str to sequence of ndarray
            Arrays under the name of their group, in order.
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
        """Facts and arrays as written, or nothing: of no file, a damaged one, or another training's.

        What a process left that was killed while it wrote is removed.
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
                    return self._ignored("its inputs, settings or code were others")
                arrays: dict[str, list[np.ndarray]] = {}
                for name in archive.files:
                    if "/" in name:
                        arrays.setdefault(name.partition("/")[0], []).append(archive[name])
                return json.loads(archive["facts"].item()), arrays

    def _ignored(self, why: str) -> None:
        logs.announce(f"{self.path}: the state of an interrupted training is left aside, {why}")

    def remove(self) -> None:
        """Remove the state, once what the training was for is written."""
        self.path.unlink(missing_ok=True)
