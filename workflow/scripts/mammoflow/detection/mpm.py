"""Interpolates window probabilities to the mass probability map (MPM), and stores them on their grid."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import pandas as pd

from mammoflow.base import seeds, storage
from mammoflow.base.shards import Shards, by_fold
from mammoflow.breasts.geometry import Geometry

# Parts of a file: maps of images that the fold tests, and of images that scores are learnt from.
TESTED, LEARNING = "images", "learning"
PARTS = (TESTED, LEARNING)


@dataclass(frozen=True)
class Grid:
    """Classified windows of one stored image.

    Attributes
    ----------
    probabilities : (gy, gx) float32 array
        Probability of a mass in each window; 0 for windows that were not classified because no breast
        pixel is interpolated from them.
    centres_y, centres_x : (gy,) and (gx,) float64 arrays
        Rows and columns of the windows' central pixels in the stored image, ascending.
    breast : (M, N) bool array
        The breast region of the stored image.
    geometry : mammoflow.breasts.geometry.Geometry
        Position of the stored image in the original.
    """

    probabilities: np.ndarray
    centres_y: np.ndarray
    centres_x: np.ndarray
    breast: np.ndarray
    geometry: Geometry

    @property
    def step(self) -> int | None:
        """Distance between neighbouring centres in stored pixels; None without two in a column."""
        return int(self.centres_y[1] - self.centres_y[0]) if len(self.centres_y) > 1 else None

    def map(self) -> np.ndarray:
        """Mass probability map, (M, N) float32; see `probability_map`."""
        return probability_map(self.probabilities, self.centres_y, self.centres_x, self.breast)


def probability_map(
    probabilities: np.ndarray, centres_y: np.ndarray, centres_x: np.ndarray, breast: np.ndarray
) -> np.ndarray:
    """Interpolate window probabilities linearly at every pixel.

    Beyond the outermost centres the map has the value of the nearest centre. It is zero outside the
    breast, and everywhere if there is no window.

    Parameters
    ----------
    probabilities : (gy, gx) float array
        Probability of a mass in each window, 0 for windows that were not classified.
    centres_y, centres_x : (gy,) and (gx,) float arrays
        Rows and columns of the windows' central pixels, ascending.
    breast : (M, N) bool array
        The breast region.

    Returns
    -------
    (M, N) float32 array

    Raises
    ------
    ValueError
        When the shapes do not match, the centres are not ascending, or a probability is not in [0, 1].

    References
    ----------
    Agarwal et al. 2019, section 2.5, step 2.

    Examples
    --------
    >>> probability_map(np.array([[0.0, 1.0]]), np.array([0]), np.array([1, 5]), np.ones((1, 7), bool))
    array([[0.  , 0.  , 0.25, 0.5 , 0.75, 1.  , 1.  ]], dtype=float32)
    """
    _check(probabilities, centres_y, centres_x)
    if probabilities.size == 0:
        return np.zeros(breast.shape, np.float32)
    # Computed in double precision, so that between equal probabilities the rounded map is exactly constant.
    rows, columns = (np.arange(length) for length in breast.shape)
    down = interpolation(centres_y, rows) @ np.asarray(probabilities, np.float64)  # (M, gx)
    values = (down @ interpolation(centres_x, columns).T).astype(np.float32)  # (M, N)
    np.clip(values, 0, 1, out=values)
    values[~np.asarray(breast, bool)] = 0
    return values


def interpolation(centres: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Share of each centre in the value at each place, by linear interpolation.

    Parameters
    ----------
    centres : (g,) array
        Ascending, at least one.
    places : (n,) array
        Beyond the outermost centres, the nearest one counts alone.

    Returns
    -------
    (n, g) float64 array
        Rows sum to one.
    """
    if len(centres) == 1:
        return np.ones((len(places), 1))
    left = np.clip(np.searchsorted(centres, places, side="right") - 1, 0, len(centres) - 2)
    share = np.clip((places - centres[left]) / (centres[left + 1] - centres[left]), 0, 1)
    weights = np.zeros((len(places), len(centres)))
    rows = np.arange(len(places))
    weights[rows, left] = 1 - share
    weights[rows, left + 1] = share
    return weights


def _check(probabilities: np.ndarray, centres_y: np.ndarray, centres_x: np.ndarray) -> None:
    expected = (len(centres_y), len(centres_x))
    if probabilities.shape != expected:
        raise ValueError(f"probabilities: expected one per centre, {expected}, got {probabilities.shape}")
    for name, centres in (("centres_y", centres_y), ("centres_x", centres_x)):
        if not np.all(np.diff(centres) > 0):
            raise ValueError(f"{name}: expected ascending centres, got {np.asarray(centres).tolist()}")
    if not np.all((probabilities >= 0) & (probabilities <= 1)):
        raise ValueError(
            f"probabilities: expected values in [0, 1], got {probabilities.min()} to {probabilities.max()}"
        )


def write_grid(file: h5py.File, image_id: str, grid: Grid, part: str = TESTED) -> None:
    """Add the grid of one image to a part of a file opened by `storage.create_hdf5`.

    Raises
    ------
    ValueError
        When the grid is inconsistent, or the file already contains the image.
    """
    _check(grid.probabilities, grid.centres_y, grid.centres_x)
    group = file.create_group(f"{part}/{image_id}")
    group.create_dataset("probabilities", data=grid.probabilities.astype(np.float32), **storage.ARRAY)
    group.create_dataset("centres_y", data=np.asarray(grid.centres_y, np.float64))
    group.create_dataset("centres_x", data=np.asarray(grid.centres_x, np.float64))
    group.create_dataset("breast", data=grid.breast.astype(np.uint8), **storage.ARRAY)
    group.attrs.update(grid.geometry.to_attributes())


def read_grid(file: h5py.File, image_id: str, part: str = TESTED) -> Grid:
    """Read the grid of one image from a part of a file opened by `storage.open_hdf5`.

    Raises
    ------
    KeyError
        When this part does not contain the image.
    """
    path = f"{part}/{image_id}"
    if path not in file:
        raise KeyError(f"{file.filename}: expected a grid of image '{image_id}', got none of that name")
    group = file[path]
    return Grid(
        probabilities=group["probabilities"][()],
        centres_y=group["centres_y"][()],
        centres_x=group["centres_x"][()],
        breast=group["breast"][()].astype(bool),
        geometry=Geometry.from_attributes(group.attrs),
    )


def open_maps(paths: str | Path | Sequence[str | Path], part: str = TESTED) -> Shards:
    """The grids in one part of the files of a fold, as a mapping from image identifier to `Grid`."""
    return Shards(paths, partial(image_ids, part=part), partial(read_grid, part=part))


def open_folds(paths: Sequence[str | Path], folds: int) -> list[Shards]:
    """The grids of the tested images of each fold, from the files of all folds; see `by_fold`."""
    return list(map(open_maps, by_fold(paths, folds)))


def windows_per_image(path: str | Path) -> list[int]:
    """Number of windows on the grid of each tested image of a file, classified or not."""
    with storage.open_hdf5(path) as file:
        return [file[f"{TESTED}/{image_id}/probabilities"].size for image_id in image_ids(file)]


class Made(NamedTuple):
    """How the maps of a file were made.

    Attributes
    ----------
    runs : list of int
        Numbers of the runs in their fold whose mean the maps are.
    maps : {"windows", "dense"}
    precision : str
        Of the networks: names of Keras' policies joined by commas, or empty if there was no window.
    """

    runs: list[int]
    maps: str
    precision: str


def write_made(file: h5py.File, made: Made) -> None:
    """Add to an open file how its maps were made."""
    file.attrs.update(made._asdict())


def read_made(path: str | Path) -> Made:
    """How the maps of a file were made."""
    with storage.open_hdf5(path) as file:
        found = file.attrs
        return Made([int(run) for run in found["runs"]], found["maps"], found["precision"])


def image_ids(file: h5py.File, part: str = TESTED) -> list[str]:
    """Identifiers of the images in a part of a file opened by `storage.open_hdf5`, sorted; may be empty."""
    return sorted(file[part]) if part in file else []


def learning(fold: pd.DataFrame, settings: Mapping[str, object], seed: Sequence[str | int]) -> list[str]:
    """Images of a fold that something is learnt from, such as the score of candidates or thresholds, sorted.

    Parameters
    ----------
    fold : pandas.DataFrame
        Stored images of one fold, with columns image_id and role.
    settings : mapping
        ``parts``, roles in the fold, and ``images``, the largest number drawn from them, None for all.
    seed : sequence of str or int
        Root seed and labels, passed to `seeds.generator`.
    """
    image_ids = sorted(fold.loc[fold["role"].isin(settings["parts"]), "image_id"])
    if settings["images"] is None or len(image_ids) <= settings["images"]:
        return image_ids
    generator = seeds.generator(*seed)
    return sorted(generator.choice(image_ids, settings["images"], replace=False).tolist())
