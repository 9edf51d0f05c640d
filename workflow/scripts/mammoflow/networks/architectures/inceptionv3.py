"""InceptionV3.

References
----------
Szegedy et al., "Rethinking the Inception architecture for computer vision", CVPR 2016.
"""

from mammoflow.networks.architectures import Network, application, average

NETWORK = Network(
    "InceptionV3", 75, imagenet=True, body=application("InceptionV3"), head=average, weights=(188, 21_802_784)
)
