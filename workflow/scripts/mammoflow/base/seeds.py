"""Creates random generators that depend only on the study's seed and on their purpose."""

import hashlib

import numpy as np


def sequence(root: int, *labels: str | int) -> np.random.SeedSequence:
    """Seed sequence for one purpose under the study's root seed.

    Parameters
    ----------
    root : int
        The study's ``seed``.
    *labels : str or int
        Purpose of the random numbers, for example ``("train", "inbreast", "vgg16", "random", 0, 3)``.

    Returns
    -------
    numpy.random.SeedSequence
        The same for the same arguments in every process; it uses a stable digest, unlike ``hash()``.
    """
    digest = hashlib.sha256("\0".join(map(str, labels)).encode()).digest()
    return np.random.SeedSequence([root, int.from_bytes(digest, "big")])


def generator(root: int, *labels: str | int) -> np.random.Generator:
    """NumPy generator for one purpose; see `sequence`."""
    return np.random.default_rng(sequence(root, *labels))


def integer(root: int, *labels: str | int) -> int:
    """Non-negative 31-bit seed for one purpose, for libraries that take an integer."""
    return int(sequence(root, *labels).generate_state(1)[0] >> 1)
