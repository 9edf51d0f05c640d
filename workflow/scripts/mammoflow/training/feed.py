"""Streams training and validation patches from a bank: shuffled, augmented and normalised.

Workers read a few batches ahead of the network. Without a GPU the workers also augment and normalise
them, in parallel on several cores. With a GPU this is done on the GPU, by a layer in front of the network,
with the same arithmetic.
"""

import functools
import math
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mammoflow.networks import runtime
from mammoflow.networks.normalization import normalize
from mammoflow.patches.bank import Part
from mammoflow.training import augmentation, kernels
from mammoflow.training.augmentation import Augmentation, Views

Pair = tuple[np.ndarray, np.ndarray]

_ENDLESS = 2**62


@dataclass(frozen=True)
class Feed:
    """Batches of one part of a bank.

    Parameters
    ----------
    part : Part
        Source of the patches.
    batch : int
        Number of patches in a batch.
    normalization : {'gcn', 'scale', 'local'}
        Applied after augmentation, so that with ``gcn`` the input of the network has exactly mean 0 and
        standard deviation 1.
    workers : int, optional
        Batches read and augmented at the same time; their content does not depend on it.
    inside : bool, optional
        Whether batches are augmented and normalised by a layer in front of the network, see `into`; by
        default only if there is a GPU.
    lesion_balance : float, optional
        How equally often masses are shown in training, whatever their number of patches; see `weights`.
    """

    part: Part
    batch: int
    normalization: str
    workers: int = 3
    inside: bool = field(default_factory=runtime.on_gpu)
    lesion_balance: float = 0

    @property
    def steps(self) -> int:
        """Number of batches needed to show every patch once."""
        return math.ceil(len(self.part) / self.batch)

    def into(self, model: keras.Model) -> keras.Model:
        """Model to train and validate on the batches of this feed.

        Parameters
        ----------
        model : keras.Model
            A network for patches of shape (w, w, 1).

        Returns
        -------
        keras.Model
            `model` itself or, if `inside` is set, a model that adds a layer without weights in front of
            `model` to augment and normalise the batches. Both share their weights.
        """
        if not self.inside:
            return model
        inputs = {
            name: keras.Input(spec.shape, dtype=spec.dtype.name, name=name)
            for name, spec in _stored(self.part.window).items()
        }
        return keras.Model(inputs, model(_Show(self.normalization)(inputs)))

    def training(self, steps: int, augment: Augmentation, seed: int, first: int = 0) -> tf.data.Dataset:
        """Endless stream of shuffled, augmented batches, without a pause between epochs.

        Parameters
        ----------
        steps : int
            Batches per epoch; if the part has fewer patches, they are repeated in another order.
        augment : Augmentation
            Ranges of the views.
        seed : int
            Seed of the training. Together with the number of the epoch it determines order and views.
        first : int, optional
            The first epoch, counted from 0.

        Returns
        -------
        tf.data.Dataset
            Pairs of patches, (batch, w, w, 1) float32 (or the input of the model from `into`), and labels,
            (batch,) uint8.
        """
        count = steps * self.batch
        shares = weights(self.part.lesions, self.lesion_balance) if self.lesion_balance else None

        @functools.lru_cache(maxsize=2)  # workers may work on two epochs at the same time
        def plan(epoch: int) -> tuple[np.ndarray, Views]:
            drawn = augmentation.draw(augment, count, seed, epoch)
            return _order(len(self.part), count, seed, epoch, shares), drawn

        def chosen(number: int) -> tuple[np.ndarray, Views]:
            epoch, step = divmod(number, steps)
            these = slice(step * self.batch, (step + 1) * self.batch)
            rows, views = plan(epoch)
            return rows[these], views[these]

        return self._dataset(chosen, range(first * steps, _ENDLESS), self.batch)

    def validation(self) -> tf.data.Dataset:
        """All patches once, in order and not augmented; the last batch may be smaller."""

        def chosen(number: int) -> tuple[np.ndarray, Views]:
            start = number * self.batch
            rows = np.arange(start, min(start + self.batch, len(self.part)))
            return rows, augmentation.plain(len(rows))

        return self._dataset(chosen, range(self.steps), None)

    def epoch(self, number: int, steps: int, augment: Augmentation, seed: int) -> Iterator[Pair]:
        """Batches of one epoch of `training`, as arrays."""
        return iter(self.training(steps, augment, seed, number).take(steps).as_numpy_iterator())

    def once(self) -> Iterator[Pair]:
        """Batches of `validation`, as arrays."""
        return iter(self.validation().as_numpy_iterator())

    def _dataset(
        self,
        chosen: Callable[[int], tuple[np.ndarray, Views]],
        numbers: range,
        size: int | None,
    ) -> tf.data.Dataset:
        """Dataset of batches, computed from their numbers.

        `tf.data.Dataset.from_generator` is not used because it makes the C library return all freed memory
        of the process to the system at once, so that every batch has to allocate new pages.
        """
        window = self.part.window
        stored = {name: tf.TensorSpec((size, *s.shape), s.dtype) for name, s in _stored(window).items()}
        patches = stored if self.inside else tf.TensorSpec((size, window, window, 1))
        signature = (patches, tf.TensorSpec((size,), tf.uint8))
        flat = tf.nest.flatten(signature)

        def load(number: int) -> list[np.ndarray]:
            inputs, labels = self._load(*chosen(number))
            if not self.inside:
                inputs = kernels.prepare(**inputs, kind=self.normalization)[..., None]
            return tf.nest.flatten((inputs, labels))

        ahead = _Ahead(load, numbers.stop, self.workers)

        def batch(number: tf.Tensor) -> tuple[tf.Tensor | dict[str, tf.Tensor], tf.Tensor]:
            arrays = tf.numpy_function(ahead, [number], [spec.dtype for spec in flat])
            arrays = [tf.ensure_shape(each, spec.shape) for each, spec in zip(arrays, flat, strict=True)]
            return tf.nest.pack_sequence_as(signature, arrays)

        return tf.data.Dataset.range(numbers.start, numbers.stop).map(batch).prefetch(2)

    def _load(self, rows: np.ndarray, views: Views) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Read a batch from the bank; returns patches with transforms and grey ranges, and labels."""
        batch = self.part.read(rows)
        inputs = {
            "patches": batch.patches,
            "transforms": augmentation.transforms(views, self.part.window),
            "minimum": batch.minimum,
            "maximum": batch.maximum,
        }
        return inputs, self.part.labels[rows]


class _Ahead:
    """Calls a function with consecutive numbers; threads compute the next values in advance."""

    def __init__(self, function: Callable[[int], Any], stop: int, workers: int) -> None:
        self._function, self._stop, self._workers = function, stop, workers
        self._pool = ThreadPoolExecutor(workers)
        self._futures: dict[int, Future] = {}

    def __call__(self, number: int) -> Any:  # noqa: ANN401
        wanted = range(int(number), min(int(number) + self._workers + 1, self._stop))
        known = self._futures
        futures = {each: known.get(each) or self._pool.submit(self._function, each) for each in wanted}
        self._futures = futures
        return futures[wanted[0]].result()


def _stored(window: int) -> dict[str, tf.TensorSpec]:
    """Shapes and types of the data of each patch before augmentation and normalisation."""
    return {
        "patches": tf.TensorSpec((window, window), tf.uint16),
        "transforms": tf.TensorSpec((2, 3), tf.float32),
        "minimum": tf.TensorSpec((), tf.uint16),
        "maximum": tf.TensorSpec((), tf.uint16),
    }


class _Show(keras.layers.Layer):
    """Layer that augments and normalises patches, for GPUs."""

    def __init__(self, normalization: str) -> None:
        super().__init__(trainable=False, dtype="float32", name="show")
        self.normalization = normalization

    def call(self, inputs: dict[str, tf.Tensor]) -> tf.Tensor:
        patches = tf.cast(inputs["patches"], tf.float32)  # GPUs cannot gather 16-bit integers
        shown = augmentation.show(patches, inputs["transforms"])
        return normalize(shown, inputs["minimum"], inputs["maximum"], self.normalization)[..., None]


def weights(lesions: np.ndarray, balance: float) -> np.ndarray:
    """How often each patch is shown, relative to the others of its class.

    The class of masses is shown as often as without weights.

    Parameters
    ----------
    lesions : (n,) ndarray of int
        Number of the mass that each patch shows; -1 for patches without a mass.
    balance : float
        A mass with k patches is shown in proportion to k to the power of 1 - `balance`. 0: each patch is
        shown equally often; 1: each mass.

    Returns
    -------
    (n,) ndarray of float64
        1 for patches without a mass, and 1 on average for the others.

    Examples
    --------
    >>> weights(np.array([-1, 0, 0, 0, 0, 1, -1]), 0.5)
    array([1.        , 0.83333333, 0.83333333, 0.83333333, 0.83333333,
           1.66666667, 1.        ])
    """
    positive = lesions >= 0
    result = np.ones(len(lesions))
    if positive.any():
        patches = np.bincount(lesions[positive])[lesions[positive]].astype(float)
        result[positive] = patches**-balance
        result[positive] /= result[positive].mean()
    return result


def _order(n: int, count: int, seed: int, epoch: int, shares: np.ndarray | None = None) -> np.ndarray:
    """Random order of `count` rows out of `n`: if `count` is larger, every row is used before any repeats.

    With `shares`, a row is used as often as its share asks for, rounded up or down at random.
    """
    generator = np.random.default_rng([seed, epoch, n])
    if shares is None:
        return np.concatenate([generator.permutation(n) for _ in range(-(-count // n))])[:count]
    rows = generator.permutation(n)
    ends = np.cumsum(shares[rows])
    places = (np.arange(count) + generator.random()) * (ends[-1] / count)
    return generator.permutation(rows[np.searchsorted(ends[:-1], places, side="right")])
