"""Reads and writes the images store: cropped, mirrored breasts with lesion label maps, in HDF5."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from mammoflow.base import storage
from mammoflow.base.shards import Shards
from mammoflow.breasts.geometry import Geometry

CHUNK = 256
# Longest side of an overview in pixels.
OVERVIEW = 192


@dataclass(frozen=True)
class StoredImage:
    """One breast as used by later stages, with the chest wall on the left.

    Parameters
    ----------
    image_id : str
        Identifier within the study.
    pixels : (m, n) uint16 ndarray
        Grey values, air dark.
    breast : (m, n) bool ndarray
        The breast region.
    lesions : (m, n) uint8 ndarray
        0 outside lesions; k inside the k-th row (from 1) of this image in ``lesions.csv``.
    geometry : Geometry
        Position in the original image.
    flags : str
        Remarks on the image, joined by ``;``.
    masses : int
        Number of masses marked in the release, including those outside the crop.
    pixels_sha256 : str
        `pixels_digest` of the original image.
    """

    image_id: str
    pixels: np.ndarray
    breast: np.ndarray
    lesions: np.ndarray
    geometry: Geometry
    flags: str = ""
    masses: int = 0
    pixels_sha256: str = ""


@dataclass(frozen=True)
class Regions:
    """Breast and masses of a stored image, without its pixels; see `StoredImage`."""

    breast: np.ndarray
    lesions: np.ndarray
    masses: int


@dataclass(frozen=True)
class Overview:
    """A reduced copy of the complete original image with its breast region, for visual inspection.

    Parameters
    ----------
    picture : (m, n) uint8 ndarray
        Square root of the grey values, so that the skin line is visible; no side longer than `OVERVIEW`.
    region : (m, n) bool ndarray
        The detected breast region, plausible or not.
    rows, columns : int
        Shape of the original image.
    """

    picture: np.ndarray
    region: np.ndarray
    rows: int
    columns: int


def write(file: h5py.File, stored: StoredImage) -> None:
    """Add one image to an open store."""
    group = file.create_group(f"images/{stored.image_id}")
    for name in ("pixels", "breast", "lesions"):
        array = getattr(stored, name)
        chunks = tuple(min(CHUNK, size) for size in array.shape)
        group.create_dataset(name, data=array, chunks=chunks, **storage.ARRAY)
    facts = {name: getattr(stored, name) for name in ("flags", "masses", "pixels_sha256")}
    group.attrs.update(stored.geometry.to_attributes(), **facts)


def digest(stored: StoredImage) -> str:
    """Hexadecimal SHA-256 of a breast, its regions and its position in the original image."""
    known = hashlib.sha256(f"{stored.pixels.shape} {stored.geometry} {stored.masses}".encode())
    for array in (stored.pixels, stored.breast, stored.lesions):
        known.update(np.ascontiguousarray(array))
    return known.hexdigest()


def write_overview(file: h5py.File, image_id: str, seen: Overview) -> None:
    """Add the overview of one image, stored or not, to an open store."""
    group = file.create_group(f"overviews/{image_id}")
    for name in ("picture", "region"):
        group.create_dataset(name, data=getattr(seen, name), **storage.ARRAY)
    group.attrs.update(rows=seen.rows, columns=seen.columns)


def read_overviews(file: h5py.File) -> Iterator[tuple[str, Overview]]:
    """Identifiers (sorted) and overviews of all images of an open store that could be decoded."""
    for image_id, group in sorted(file["overviews"].items()) if "overviews" in file else ():
        arrays = (group[name][()] for name in ("picture", "region"))
        yield image_id, Overview(*arrays, rows=int(group.attrs["rows"]), columns=int(group.attrs["columns"]))


def read(file: h5py.File, image_id: str) -> StoredImage:
    """Read one image of an open store.

    Raises
    ------
    KeyError
        When the store does not hold the image.
    """
    group = _group(file, image_id)
    return StoredImage(
        image_id,
        **_arrays(group, "pixels", "breast", "lesions"),
        geometry=Geometry.from_attributes(group.attrs),
        flags=group.attrs["flags"],
        masses=int(group.attrs["masses"]),
        pixels_sha256=group.attrs["pixels_sha256"],
    )


def read_regions(file: h5py.File, image_id: str) -> Regions:
    """Read the regions of one image of an open store, without its pixels; see `read`."""
    group = _group(file, image_id)
    return Regions(**_arrays(group, "breast", "lesions"), masses=int(group.attrs["masses"]))


def _arrays(group: h5py.Group, *names: str) -> dict[str, np.ndarray]:
    return {name: group[name][()] for name in names}


def _group(file: h5py.File, image_id: str) -> h5py.Group:
    if f"images/{image_id}" not in file:
        raise KeyError(f"{file.filename}: expected image '{image_id}', which it does not hold")
    return file[f"images/{image_id}"]


def image_ids(file: h5py.File) -> list[str]:
    """Identifiers of the images of an open store, sorted."""
    return sorted(file["images"]) if "images" in file else []


def shards(folder: str | Path, numbers: Iterable[int]) -> list[Path]:
    """Paths of some shards of the images store of a data set."""
    return [Path(folder) / f"shard-{number}.h5" for number in numbers]


def open_store(paths: str | Path | Sequence[str | Path]) -> Shards:
    """Images of one or several shards as a mapping from image identifier to `StoredImage`; see `Shards`."""
    return Shards(paths, image_ids, read)


def open_regions(paths: str | Path | Sequence[str | Path]) -> Shards:
    """The regions of images as a mapping from image identifier to `Regions`; see `Shards`."""
    return Shards(paths, image_ids, read_regions)
