"""VGG16, with its two dense layers.

References
----------
Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition", ICLR 2015.
"""

from typing import TYPE_CHECKING

from mammoflow.networks.architectures import Network, application, average

if TYPE_CHECKING:
    import keras


def _head(features: "keras.KerasTensor") -> "keras.KerasTensor":
    """Global average pooling and VGG's two dense layers."""
    from keras import layers

    x = layers.Dense(4096, activation="relu", name="fc1")(average(features))
    return layers.Dense(4096, activation="relu", name="fc2")(x)


# The smallest sides are those that keras.applications accepts without the top.
NETWORK = Network("VGG16", 32, imagenet=True, body=application("VGG16"), head=_head, weights=(13, 14_714_688))
