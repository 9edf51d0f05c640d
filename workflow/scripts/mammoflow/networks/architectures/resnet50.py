"""ResNet50.

References
----------
He et al., "Deep residual learning for image recognition", CVPR 2016.
"""

from mammoflow.networks.architectures import Network, application, average

NETWORK = Network(
    "ResNet50", 32, imagenet=True, body=application("ResNet50"), head=average, weights=(106, 23_587_712)
)
