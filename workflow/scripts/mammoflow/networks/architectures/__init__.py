"""Defines the networks, one module each; to add a network, add a module here.

A network consists of a body (pixels to a feature map), a head (feature map to features) and a softmax. Its
module defines a `Network` called ``NETWORK``; the name of the module is the name of the network in config
and paths. Keras is imported only when a network is built, so that the workflow can read labels without it.
"""

import functools
import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

    Body = Callable[[int, str | None], keras.Model]
    Head = Callable[[keras.KerasTensor], keras.KerasTensor]


@dataclass(frozen=True)
class Network:
    """One network.

    Parameters
    ----------
    label : str
        Name in tables and figures.
    smallest : int
        Smallest window side in pixels.
    imagenet : bool
        Whether Keras provides ImageNet weights for the network.
    body : callable
        Takes a window side and ``weights`` (None or, if Keras provides them, ``"imagenet"``) and returns a
        model from ``(n, w, w, 3)`` to a feature map.
    head : callable
        Computes from the feature map the ``(n, k)`` features that are passed to the softmax.
    weights : tuple of int, optional
        Number of layers with weights in the body, and of values in them; a file of weights is checked
        against these before any job. Without them, the job checks the file.
    """

    label: str
    smallest: int
    imagenet: bool
    body: "Body"
    head: "Head"
    weights: tuple[int, int] | None = None


def names() -> list[str]:
    """Names of all networks, in alphabetical order."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


@functools.cache
def network(name: str) -> Network:
    """Return a network by name; only its module is imported.

    Raises
    ------
    ValueError
        When there is no network of that name.
    """
    if name not in names():
        raise ValueError(f"backbone: expected one of {', '.join(names())}, got {name!r}")
    return importlib.import_module(f"{__name__}.{name}").NETWORK


def application(name: str) -> "Body":
    """Body made of a network of `keras.applications` without its top."""

    def body(window: int, weights: str | None) -> "keras.Model":
        import keras

        build = getattr(keras.applications, name)
        return build(include_top=False, weights=weights, input_shape=(window, window, 3))

    return body


def average(features: "keras.KerasTensor") -> "keras.KerasTensor":
    """Head: global average pooling."""
    from keras import layers

    return layers.GlobalAveragePooling2D(name="pool")(features)
