"""Writes the patch bank of a fold: chooses windows in every image and cuts their patches."""

import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import h5py
import numpy as np

from mammoflow.base import pool, seeds, storage
from mammoflow.patches import chunks, sampling, sliding_windows
from mammoflow.patches.bank import BLOCK, PARTS

# Largest number of images that a message names.
_NAMED = 5


class Image(Protocol):
    """The attributes of a stored image that a bank needs, as in ``image_store.StoredImage``.

    They are declared here so that training, which reads banks, does not depend on how images are prepared.
    """

    pixels: np.ndarray
    breast: np.ndarray
    lesions: np.ndarray
    masses: int


@dataclass(frozen=True)
class Count:
    """Numbers of images and patches in one part of a bank.

    Parameters
    ----------
    images : int
        Number of images.
    positives, negatives : int
        Number of patches.
    short : int
        Number of negatives missing because the images have too few windows.
    unfit : dict of str to str
        Images without any window, or without windows to draw negatives from, and the size that is too small.
    """

    images: int
    positives: int
    negatives: int
    short: int
    unfit: dict[str, str]

    def why(self, windows: sliding_windows.Windows) -> str:
        """List of the unfit images, to be appended to a message; empty if there are none."""
        if not self.unfit:
            return ""
        named = [f"{image_id} ({size})" for image_id, size in itertools.islice(self.unfit.items(), _NAMED)]
        more = f" and {len(self.unfit) - _NAMED} more" if len(self.unfit) > _NAMED else ""
        side = f"{windows.window}×{windows.window}"
        return f"; windows of {side} pixels do not fit into {', '.join(named)}{more}"


def write(
    path: str | Path,
    parts: dict[str, Sequence[str]],
    store: Mapping[str, Image],
    windows: sliding_windows.Windows,
    policy: str,
    seed: Sequence[str | int],
    threads: int = 2,
) -> dict[str, Count]:
    """Write the bank of a fold, image by image.

    Every image is read twice: first to list its windows, then to cut the drawn ones. Memory holds the
    positions of all windows that may be drawn (8 bytes each), one image and a few blocks of patches,
    regardless of the size of the bank.

    Parameters
    ----------
    path : str or Path
        The file to write.
    parts : dict of str to sequence of str
        Image ids of each of `PARTS`.
    store : mapping of str to Image
        Stored images by id, as returned by ``image_store.open_store``.
    windows : sliding_windows.Windows
        Size and placement of the windows.
    policy : {'mass-images', 'normal-images', 'all-images'}
        Images that negatives are drawn from; see `sampling.share`.
    seed : sequence of str or int
        Root seed and labels, passed to `seeds.generator`.
    threads : int, optional
        Blocks of patches compressed at the same time; the file does not depend on it.

    Returns
    -------
    dict of str to Count
        Numbers of images and patches in each part.

    Raises
    ------
    ValueError
        When training or validation would lack one of the classes.
    """
    counts = {}
    with storage.create_hdf5(path) as file:
        for part in PARTS:
            offers = [_offer(image_id, store[image_id], windows, policy) for image_id in parts[part]]
            supply = _supply(offers)
            negatives, short = _share(supply, policy, part, seed)
            unfit = {offer.image_id: offer.unfit for offer in offers if offer.unfit}
            count = Count(len(offers), int(supply.positives.sum()), int(negatives.sum()), short, unfit)
            _refuse_one_class(path, part, count, windows)
            drawn = [
                _drawn(offer, n, seeds.generator(*seed, part, offer.image_id))
                for offer, n in zip(offers, negatives, strict=True)
            ]
            _fill(file.create_group(part), drawn, store, windows, threads)
            counts[part] = count
        file.attrs.update(window=windows.window, stride=windows.stride, edge=windows.edge, negatives=policy)
    return counts


@dataclass(frozen=True)
class _Offer:
    """Windows of an image that a bank may use, as positions, (n, 2) int32.

    `unfit` is empty, or states the size of the image or breast if it is too small for windows.
    """

    image_id: str
    positive: np.ndarray
    drawable: np.ndarray
    masses: bool
    unfit: str


def _offer(image_id: str, image: Image, windows: sliding_windows.Windows, policy: str) -> _Offer:
    begin = sliding_windows.positions(image.breast, windows)
    positive = sliding_windows.labels(image.lesions, begin, windows) > 0
    drawable = negative = ~positive
    if policy == "mass-images":
        drawable = negative & sliding_windows.within_breast(image.breast, begin, windows)
    masses = image.masses > 0
    source = policy == "all-images" or masses == (policy == "mass-images")
    lacking = not len(begin) or (source and negative.any() and not drawable.any())
    unfit = _size(image.breast, windows) if lacking else ""
    return _Offer(image_id, begin[positive], begin[drawable], masses, unfit)


def _size(breast: np.ndarray, windows: sliding_windows.Windows) -> str:
    """The size of the image or breast that is too small for windows, in words."""
    if not all(map(len, sliding_windows.grid(breast.shape, windows))):
        return "image of {}×{} pixels".format(*breast.shape)
    rows, columns = (np.flatnonzero(breast.any(axis)) for axis in (1, 0))
    return f"breast of {np.ptp(rows) + 1}×{np.ptp(columns) + 1} pixels" if len(rows) else "empty breast"


def _supply(offers: Sequence[_Offer]) -> sampling.Supply:
    counts = [(len(offer.positive), len(offer.drawable), offer.masses) for offer in offers]
    rows = np.array(counts, np.int64).reshape(-1, 3)
    return sampling.Supply(rows[:, 0], rows[:, 1], rows[:, 2].astype(bool))


def _share(
    supply: sampling.Supply, policy: str, part: str, seed: Sequence[str | int]
) -> tuple[np.ndarray, int]:
    try:
        return sampling.share(supply, policy, seeds.generator(*seed, part))
    except ValueError as error:
        raise ValueError(f"{part} part of the fold: {error}") from error


def _refuse_one_class(path: str | Path, part: str, count: Count, windows: sliding_windows.Windows) -> None:
    if part != "test" and not (count.positives and count.negatives):
        raise ValueError(
            f"{path}: expected positive and negative patches in the {part} part, got {count.positives} "
            f"and {count.negatives} from {count.images} images{count.why(windows)}"
        )


def _drawn(
    offer: _Offer, negatives: int, generator: np.random.Generator
) -> tuple[str, np.ndarray, np.ndarray]:
    """Draw the windows of an image for the bank; returns them in raster order with their labels."""
    chosen = generator.choice(len(offer.drawable), negatives, replace=False)
    begin = np.concatenate([offer.positive, offer.drawable[chosen]])
    labels = np.repeat(np.array([1, 0], np.uint8), [len(offer.positive), negatives])
    order = np.lexsort(begin.T[::-1])
    return offer.image_id, begin[order], labels[order]


def _fill(
    group: h5py.Group,
    drawn: Sequence[tuple[str, np.ndarray, np.ndarray]],
    store: Mapping[str, Image],
    windows: sliding_windows.Windows,
    threads: int,
) -> None:
    drawn = [image for image in drawn if len(image[1])]
    sizes = [len(begin) for _, begin, _ in drawn]
    ranges = np.zeros((len(drawn), 2), np.uint16)
    shape = (windows.window, windows.window)
    array = chunks.create(group, "patches", sum(sizes), shape, np.uint16)

    def blocks() -> Iterator[list[np.ndarray]]:
        for grey, (image_id, begin, _) in zip(ranges, drawn, strict=True):
            image = store[image_id]
            breast = image.pixels[image.breast]
            grey[:] = breast.min(), breast.max()
            pixels, begin = sliding_windows.mirrored(image.pixels, begin, windows.window)
            views = np.lib.stride_tricks.sliding_window_view(pixels, shape)
            for start in range(0, len(begin), BLOCK):
                yield [views[y, x] for y, x in begin[start : start + BLOCK]]

    digest, row = hashlib.sha256(), 0
    for encoded in pool.ordered(_encoded, blocks(), threads):
        digest.update(b"".join(map(chunks.checksum, encoded)))
        chunks.put(array, row, encoded)
        row += len(encoded)

    # Strings of fixed length are stored in the array itself and are therefore covered by its checksum.
    names = np.array([image_id.encode() for image_id, _, _ in drawn] or [b" "])[: len(drawn)]
    begin = np.concatenate([np.empty((0, 2), np.int32), *(begin for _, begin, _ in drawn)])
    minimum, maximum = np.repeat(ranges, sizes, axis=0).T
    columns = {
        "labels": np.concatenate([np.empty(0, np.uint8), *(labels for _, _, labels in drawn)]),
        "image_id": np.repeat(names, sizes).astype(h5py.string_dtype(length=names.itemsize)),
        "y": begin[:, 0].copy(),
        "x": begin[:, 1].copy(),
        "image_minimum": minimum.copy(),
        "image_maximum": maximum.copy(),
    }
    for name, column in columns.items():
        digest.update(column)
        group.create_dataset(name, data=column, maxshape=(None,), chunks=(16384,), **storage.ARRAY)
    group.attrs["digest"] = digest.hexdigest()


def _encoded(block: list[np.ndarray]) -> list[bytes]:
    return [chunks.encode(patch) for patch in block]
