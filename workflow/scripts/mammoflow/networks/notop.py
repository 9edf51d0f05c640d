"""Files of convolutional weights in Keras' ``notop`` layout, read without Keras.

A group for each layer, named in the attribute ``layer_names``; in each group an array for each weight,
named in its attribute ``weight_names``.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np


def read(path: str | Path) -> list[list[np.ndarray]]:
    """Weights of every layer that has some, in the order of the file.

    Raises
    ------
    ValueError
        When the file is not HDF5, or of another layout.
    """
    with _opened(path) as file:
        return [[array[()] for array in layer] for layer in _layers(file)]


def check(path: str | Path, backbone: str, weights: tuple[int, int] | None) -> None:
    """Refuse a file that cannot hold the weights of a network; no array is read.

    Parameters
    ----------
    path : str or Path
        The file.
    backbone : str
        Name of the network.
    weights : tuple of int, optional
        Its layers with weights, and the numbers in them; without it, only the layout is checked.

    Raises
    ------
    ValueError
        One sentence with the file, what was expected and what it holds.
    """
    with _opened(path) as file:
        layers = _layers(file)
        found = (len(layers), sum(array.size for layer in layers for array in layer))
    if weights is not None and found != weights:
        expected, got = (f"{count} layers with {size:,} weights" for count, size in (weights, found))
        raise ValueError(f"{path}: expected the {expected} of {backbone} without its top, got {got}")


@contextmanager
def _opened(path: str | Path) -> Iterator[h5py.File]:
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise ValueError(
            f"{path}: expected an HDF5 file of weights in Keras' notop layout, got: {error}"
        ) from None
    with file:
        if "layer_names" not in file.attrs:
            raise ValueError(
                f"{path}: expected weights in Keras' notop layout, with an attribute 'layer_names'; got an "
                f"HDF5 file that holds {', '.join(sorted(file)[:4]) or 'nothing'}"
            )
        yield file


def _layers(file: h5py.File) -> list[list[h5py.Dataset]]:
    groups = [file[name] for name in file.attrs["layer_names"]]
    return [layer for group in groups if (layer := [group[name] for name in group.attrs["weight_names"]])]
