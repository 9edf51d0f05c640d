"""Training and validation patches, streamed from a bank: shuffled, augmented, normalised."""

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from mammoflow import augmentation
from mammoflow.augmentation import Augmentation
from mammoflow.bank import Part
from mammoflow.normalization import normalize

Pair = tuple[np.ndarray, np.ndarray]


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
    """

    part: Part
    batch: int
    normalization: str

    @property
    def steps(self) -> int:
        """Batches that it takes to show every patch."""
        return math.ceil(len(self.part) / self.batch)

    def epoch(self, number: int, steps: int, augment: Augmentation, seed: int) -> Iterator[Pair]:
        """Shuffled, augmented batches of one epoch.

        Parameters
        ----------
        number : int
            The epoch, from 0. With the seed it determines order and views.
        steps : int
            Batches; where the part has fewer patches, they come again in another order.
        augment : Augmentation
            Which views are drawn.
        seed : int
            Of the training.

        Yields
        ------
        patches : (batch, w, w, 1) ndarray of float32
        labels : (batch,) ndarray of uint8
        """
        count = steps * self.batch
        rows = _order(len(self.part), count, seed, number)
        views = augmentation.draw(augment, count, seed, number)
        for start in range(0, count, self.batch):
            these = slice(start, start + self.batch)
            yield self._load(rows[these], views[these])

    def once(self) -> Iterator[Pair]:
        """All patches once, in order, as they are; the last batch may be smaller."""
        for start in range(0, len(self.part), self.batch):
            yield self._load(np.arange(start, min(start + self.batch, len(self.part))))

    def _load(self, rows: np.ndarray, views: augmentation.Views | None = None) -> Pair:
        batch = self.part.read(rows)
        patches = batch.patches if views is None else augmentation.apply(batch.patches, views)
        patches = normalize(patches, batch.minimum, batch.maximum, self.normalization)
        return patches[..., None], self.part.labels[rows]

    def training(self, steps: int, augment: Augmentation, seed: int, first: int = 0) -> tf.data.Dataset:
        """Epochs from the `first` on, without end and without a pause between them; see `epoch`."""

        def pairs() -> Iterator[Pair]:
            for number in itertools.count(first):
                yield from self.epoch(number, steps, augment, seed)

        return self._dataset(pairs, self.batch)

    def validation(self) -> tf.data.Dataset:
        """All patches once, in order."""
        return self._dataset(self.once, None)

    def _dataset(self, pairs: Callable[[], Iterator[Pair]], batch: int | None) -> tf.data.Dataset:
        window = self.part.window
        signature = (tf.TensorSpec((batch, window, window, 1)), tf.TensorSpec((batch,), tf.uint8))
        return tf.data.Dataset.from_generator(pairs, output_signature=signature).prefetch(4)


def _order(n: int, count: int, seed: int, epoch: int) -> np.ndarray:
    """`count` rows of `n`: as many random orders of all rows, one after the other, as it takes."""
    generator = np.random.default_rng([seed, epoch, n])
    return np.concatenate([generator.permutation(n) for _ in range(-(-count // n))])[:count]
