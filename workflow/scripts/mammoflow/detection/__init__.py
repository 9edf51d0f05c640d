"""Applies trained networks to images: probabilities, probability maps and boxes."""

import os

# TensorFlow reads this once, when it is imported. By default it uses oneDNN only on processors with units for
# neural networks, but maps are faster with it on all.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
