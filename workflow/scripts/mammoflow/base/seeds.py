"""Random generators that depend on what they are for, and on nothing else."""

import hashlib

import numpy as np


def sequence(root: int, *labels: str | int) -> np.random.SeedSequence:
    """Seed sequence of one purpose under the study's root seed.

    Parameters
    ----------
    root : int
        The study's ``seed``.
    *labels : str or int
        What the numbers are for, for example ``("train", "inbreast", "vgg16", "random", 0, 3)``.

    Returns
    -------
    numpy.random.SeedSequence
        Equal for equal arguments in any process: a stable digest, unlike ``hash()``.
    """
    digest = hashlib.sha256("\0".join(map(str, labels)).encode()).digest()
    return np.random.SeedSequence([root, int.from_bytes(digest, "big")])


def generator(root: int, *labels: str | int) -> np.random.Generator:
    """NumPy generator of one purpose; see `sequence`."""
    return np.random.default_rng(sequence(root, *labels))


def integer(root: int, *labels: str | int) -> int:
    """Non-negative 31-bit seed of one purpose, for libraries that take an integer."""
    return int(sequence(root, *labels).generate_state(1)[0] >> 1)
