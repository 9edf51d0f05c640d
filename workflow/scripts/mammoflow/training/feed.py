"""Training and validation patches, streamed from a bank: shuffled, augmented, normalised.

Batches leave the bank as they are stored, a few ahead of the network. They are augmented and normalised
in one of two places, with the same arithmetic: without a GPU by the workers that read them, on as many
cores; with one on the GPU, in front of the network.
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
        Where patches come from.
    batch : int
        Patches in a batch.
    normalization : {'gcn', 'scale'}
        Applied after augmentation, so that what the network sees has exactly mean 0 and deviation 1.
    workers : int, optional
        Batches read and augmented at the same time. It never changes what they hold.
    inside : bool, optional
        Whether batches are augmented and normalised in front of the network, see `into`: by default
        where there is a GPU.
    """

    part: Part
    batch: int
    normalization: str
    workers: int = 3
    inside: bool = field(default_factory=runtime.on_gpu)

    @property
    def steps(self) -> int:
        """Batches that it takes to show every patch."""
        return math.ceil(len(self.part) / self.batch)

    def into(self, model: keras.Model) -> keras.Model:
        """What to train and validate on this feed's batches.

        Parameters
        ----------
        model : keras.Model
            Takes patches of shape (w, w, 1).

        Returns
        -------
        keras.Model
            `model` itself, or, where batches come as they are stored, `model` behind a layer without
            weights that augments and normalises them. Both share their weights.
        """
        if not self.inside:
            return model
        inputs = {
            name: keras.Input(spec.shape, dtype=spec.dtype.name, name=name)
            for name, spec in _stored(self.part.window).items()
        }
        return keras.Model(inputs, model(_Show(self.normalization)(inputs)))

    def training(self, steps: int, augment: Augmentation, seed: int, first: int = 0) -> tf.data.Dataset:
        """Shuffled, augmented batches, epoch after epoch, without end and without a pause between them.

        Parameters
        ----------
        steps : int
            Batches of an epoch; where the part has fewer patches, they come again in another order.
        augment : Augmentation
            Which views are drawn.
        seed : int
            Of the training. With the number of an epoch it determines its order and views.
        first : int, optional
            The epoch to begin with, from 0.

        Returns
        -------
        tf.data.Dataset
            Pairs of patches, (batch, w, w, 1) float32 (or what `into` takes), and labels, (batch,) uint8.
        """
        count = steps * self.batch

        @functools.lru_cache(maxsize=2)  # workers may be in two epochs at once
        def plan(epoch: int) -> tuple[np.ndarray, Views]:
            drawn = augmentation.draw(augment, count, seed, epoch)
            return _order(len(self.part), count, seed, epoch), drawn

        def chosen(number: int) -> tuple[np.ndarray, Views]:
            epoch, step = divmod(number, steps)
            these = slice(step * self.batch, (step + 1) * self.batch)
            rows, views = plan(epoch)
            return rows[these], views[these]

        return self._dataset(chosen, range(first * steps, _ENDLESS), self.batch)

    def validation(self) -> tf.data.Dataset:
        """All patches once, in order, as they are; the last batch may be smaller."""

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
        """Batches by number.

        Not `tf.data.Dataset.from_generator`: it has the C library hand all memory back to the system at
        once, for the whole process, and every batch then pays for fresh pages.
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
            found = tf.numpy_function(ahead, [number], [spec.dtype for spec in flat])
            found = [tf.ensure_shape(each, spec.shape) for each, spec in zip(found, flat, strict=True)]
            return tf.nest.pack_sequence_as(signature, found)

        return tf.data.Dataset.range(numbers.start, numbers.stop).map(batch).prefetch(2)

    def _load(self, rows: np.ndarray, views: Views) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """A batch as the bank holds it, with how it is to be shown, and its labels."""
        batch = self.part.read(rows)
        inputs = {
            "patches": batch.patches,
            "transforms": augmentation.transforms(views, self.part.window),
            "minimum": batch.minimum,
            "maximum": batch.maximum,
        }
        return inputs, self.part.labels[rows]


class _Ahead:
    """A function of consecutive numbers, whose next values threads compute before they are asked for."""

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
    """What batches hold of each patch before it is augmented and normalised."""
    return {
        "patches": tf.TensorSpec((window, window), tf.uint16),
        "transforms": tf.TensorSpec((2, 3), tf.float32),
        "minimum": tf.TensorSpec((), tf.uint16),
        "maximum": tf.TensorSpec((), tf.uint16),
    }


class _Show(keras.layers.Layer):
    """Augments and normalises, one operation after the other: GPUs are fast enough at that."""

    def __init__(self, normalization: str) -> None:
        super().__init__(trainable=False, dtype="float32", name="show")
        self.normalization = normalization

    def call(self, inputs: dict[str, tf.Tensor]) -> tf.Tensor:
        patches = tf.cast(inputs["patches"], tf.float32)  # GPUs gather no integers of 16 bits
        shown = augmentation.show(patches, inputs["transforms"])
        return normalize(shown, inputs["minimum"], inputs["maximum"], self.normalization)[..., None]


def _order(n: int, count: int, seed: int, epoch: int) -> np.ndarray:
    """`count` rows of `n`: as many random orders of all rows, one after the other, as it takes."""
    generator = np.random.default_rng([seed, epoch, n])
    return np.concatenate([generator.permutation(n) for _ in range(-(-count // n))])[:count]
