"""A small residual network for processors: ten convolutions, an answer every 16 pixels.

It is between `compact` and ResNet50 in size and time: a stem, and three stages of a strided convolution and a
residual block.

References
----------
He et al., "Deep residual learning for image recognition", CVPR 2016.
"""

from typing import TYPE_CHECKING

from mammoflow.networks.architectures import Network
from mammoflow.networks.architectures.compact import what_and_where

if TYPE_CHECKING:
    import keras

# Filters of the stem and of each stage.
_STEM, _STAGES = 24, (48, 96, 160)


def _body(window: int, weights: None) -> "keras.Model":
    import keras

    image = keras.Input((window, window, 3), name="image")
    x = _activated(_convolution(image, _STEM, 5, 2, "stem"), "stem")
    for number, filters in enumerate(_STAGES, start=1):
        x = _activated(_convolution(x, filters, 3, 2, f"down{number}"), f"down{number}")
        x = _block(x, filters, f"block{number}")
    return keras.Model(image, x, name="residual")


def _block(x: "keras.KerasTensor", filters: int, name: str) -> "keras.KerasTensor":
    from keras import layers

    y = _activated(_convolution(x, filters, 3, 1, f"{name}_1"), f"{name}_1")
    y = _convolution(y, filters, 3, 1, f"{name}_2")
    return _activated(layers.Add(name=f"{name}_sum")([x, y]), f"{name}_sum")


def _convolution(
    x: "keras.KerasTensor", filters: int, side: int, stride: int, name: str
) -> "keras.KerasTensor":
    from keras import layers

    x = layers.Conv2D(
        filters,
        side,
        stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
    # Averages over about the last thirty steps: trainings on a processor have a few hundred to thousand.
    return layers.BatchNormalization(momentum=0.97, name=f"{name}_norm")(x)


def _activated(x: "keras.KerasTensor", name: str) -> "keras.KerasTensor":
    from keras import layers

    return layers.ReLU(name=f"{name}_relu")(x)


NETWORK = Network("residual", 32, imagenet=False, body=_body, head=what_and_where, weights=(20, 863_784))
