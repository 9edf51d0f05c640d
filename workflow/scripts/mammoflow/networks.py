"""What is known of each network without building it."""

from dataclasses import dataclass


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
    """

    label: str
    smallest: int
    imagenet: bool


# The sides are those that keras.applications accepts without the top.
NETWORKS = {
    "vgg16": Network("VGG16", 32, imagenet=True),
    "resnet50": Network("ResNet50", 32, imagenet=True),
    "inceptionv3": Network("InceptionV3", 75, imagenet=True),
    "compact": Network("compact", 32, imagenet=False),
}
