"""A small network that trains in minutes on a processor: four convolutions, three of them strided."""

from typing import TYPE_CHECKING

from mammoflow.networks.architectures import Network

if TYPE_CHECKING:
    import keras


def _body(window: int, weights: None) -> "keras.Model":
    import keras
    from keras import layers

    image = x = keras.Input((window, window, 3), name="image")
    shapes = [(32, 8, 4), (48, 3, 2), (96, 3, 1), (128, 3, 2)]
    for number, (filters, side, stride) in enumerate(shapes, start=1):
        x = layers.Conv2D(
            filters,
            side,
            stride,
            padding="same",
            use_bias=False,
            kernel_initializer="he_normal",
            name=f"conv{number}",
        )(x)
        # Averages over about the last ten steps, because a training of the demo has only a few hundred steps.
        x = layers.BatchNormalization(momentum=0.9, name=f"norm{number}")(x)
        x = layers.ReLU(name=f"relu{number}")(x)
    return keras.Model(image, x, name="compact")


def what_and_where(features: "keras.KerasTensor") -> "keras.KerasTensor":
    """Head: pooling with a weight for each position, because a patch is labelled by its centre."""
    from keras import layers

    x = layers.DepthwiseConv2D(features.shape[1:3], use_bias=False, name="places")(features)
    x = layers.Flatten(name="pool")(x)
    return layers.Concatenate(name="what_and_where")(
        [x, layers.GlobalAveragePooling2D(name="average")(features)]
    )


NETWORK = Network("compact", 32, imagenet=False, body=_body, head=what_and_where, weights=(8, 173_248))
