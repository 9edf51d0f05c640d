"""Pretrains base weights on the photographs that come with scikit-image.

ImageNet weights cannot be shipped. Without internet access, a backbone learns a pretext task on the
photographs in the scikit-image package instead: to recognise the photograph that a grey crop comes from.
Within seconds it learns edge, blob and texture filters. These weights must never be called "imagenet".
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import skimage
from imageio import v3 as imageio
from skimage import color, util

from mammoflow.networks import backbones
from mammoflow.networks.normalization import gcn
from mammoflow.training import augmentation
from mammoflow.training.augmentation import Augmentation
from mammoflow.training.compiling import compile_network

PHOTOGRAPHS = (
    "astronaut.png",
    "brick.png",
    "camera.png",
    "chelsea.png",
    "coffee.png",
    "coins.png",
    "grass.png",
    "gravel.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "moon.png",
    "motorcycle_left.png",
    "retina.jpg",
    "rocket.jpg",
)

_VIEWS = Augmentation(flip=True, rotation_degrees=30, scale=(0.5, 1.5))


@dataclass(frozen=True)
class Pretext:
    """Settings for learning the pretext task.

    Parameters
    ----------
    steps : int
        Number of batches.
    batch : int
        Crops per batch.
    learning_rate : float
        Learning rate of Adam.
    """

    steps: int
    batch: int
    learning_rate: float


@functools.cache
def photographs() -> tuple[np.ndarray, ...]:
    """Grey photographs from the installed scikit-image package, (m, n) uint16.

    Raises
    ------
    FileNotFoundError
        When a photograph is missing from the package.
    """
    folder = Path(skimage.__file__).parent / "data"
    # Not skimage.io, which does not find its plugins in a folder with brackets in its name.
    return tuple(_grey(imageio.imread(folder / name)) for name in PHOTOGRAPHS)


def _grey(image: np.ndarray) -> np.ndarray:
    return util.img_as_uint(color.rgb2gray(image) if image.ndim == 3 else image)


def crops(
    images: Sequence[np.ndarray], window: int, n: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw random square crops and the photographs that they come from.

    Parameters
    ----------
    images : sequence of (m, n) ndarray of uint16
        Photographs; one smaller than the window is mirrored at its edges.
    window : int
        Side in pixels.
    n : int
        Number of crops.
    generator : numpy.random.Generator
        Draws photographs and positions.

    Returns
    -------
    (n, window, window) ndarray of uint16
    (n,) ndarray of int64
        Index in `images` of each crop.
    """
    sources = generator.integers(len(images), size=n)
    patches = np.empty((n, window, window), np.uint16)
    for patch, source in zip(patches, sources, strict=True):
        image = images[source]
        lacking = np.maximum(window - np.array(image.shape), 0)
        if lacking.any():
            image = np.pad(image, [(0, size) for size in lacking], mode="symmetric")
        y, x = (generator.integers(size - window + 1) for size in image.shape)
        patch[:] = image[y : y + window, x : x + window]
    return patches, sources


def pretrain(
    backbone: str, window: int, pretext: Pretext, policy: str, momentum: float | None, seed: int
) -> tuple[keras.Model, float]:
    """Train a backbone to recognise the photograph that a crop comes from.

    Parameters
    ----------
    backbone : str
        One of `architectures.names`.
    window : int
        Side of the crops in pixels.
    pretext : Pretext
        Settings of the training.
    policy : str
        Precision of the computation, see `backbones.build`.
    momentum : float or None
        See `backbones.set_batch_normalization_momentum`.
    seed : int
        Seed of all random numbers.

    Returns
    -------
    model : keras.Model
        The trained network; only its backbone is of use, since its head distinguishes the photographs.
    accuracy : float
        Accuracy on the last quarter of the batches, each of which is used only once.
    """
    keras.utils.set_random_seed(seed)
    images = photographs()
    generator = np.random.default_rng(seed)
    model = backbones.build(backbone, window, policy, classes=len(images))
    backbones.set_batch_normalization_momentum(model, momentum)
    compile_network(model, keras.optimizers.Adam(pretext.learning_rate), ["accuracy"], pretext.steps)
    accuracies = []
    for step in range(pretext.steps):
        patches, sources = crops(images, window, pretext.batch, generator)
        views = augmentation.draw(_VIEWS, pretext.batch, seed, step)
        shown = gcn(augmentation.apply(patches, views))[..., None]
        accuracies.append(model.train_on_batch(shown, sources, return_dict=True)["accuracy"])
        model.reset_metrics()
    return model, float(np.mean(accuracies[-max(1, pretext.steps // 4) :]))
