"""Networks: one module each, and a module here is all that a new one takes.

A network is a body (pixels to a feature map) under a head (feature map to features) under a softmax. Its
module has a `Network` by the name ``NETWORK``; the module's name is the network's in config and paths.
Keras is imported where a network is built, so that the workflow can ask for labels without it.
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
        Its name in tables and figures.
    smallest : int
        Least window side in pixels.
    imagenet : bool
        Whether Keras distributes ImageNet weights of it.
    body : callable
        Model from ``(n, w, w, 3)`` to a feature map, for a window side and ``weights``, which is None or,
        where Keras has them, ``"imagenet"``.
    head : callable
        From the feature map to the ``(n, k)`` features that the softmax takes.
    weights : tuple of int, optional
        Layers with weights in the body, and numbers in them: what a file of its weights is checked against
        before any job. Without it, the job checks.
    """

    label: str
    smallest: int
    imagenet: bool
    body: "Body"
    head: "Head"
    weights: tuple[int, int] | None = None


def names() -> list[str]:
    """Networks that have a module, in alphabetical order."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


@functools.cache
def network(name: str) -> Network:
    """A network by name; the modules of the others are not imported.

    Raises
    ------
    ValueError
        When no module has that name.
    """
    if name not in names():
        raise ValueError(f"backbone: expected one of {', '.join(names())}, got {name!r}")
    return importlib.import_module(f"{__name__}.{name}").NETWORK


def application(name: str) -> "Body":
    """Body from `keras.applications` without its top."""

    def body(window: int, weights: str | None) -> "keras.Model":
        import keras

        build = getattr(keras.applications, name)
        return build(include_top=False, weights=weights, input_shape=(window, window, 3))

    return body


def average(features: "keras.KerasTensor") -> "keras.KerasTensor":
    """Head: global average pooling."""
    from keras import layers

    return layers.GlobalAveragePooling2D(name="pool")(features)
