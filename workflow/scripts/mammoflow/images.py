"""The images store: cropped, mirrored breasts with lesion label maps, and the way back."""

import hashlib
import io
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol

import h5py
import numpy as np
import pandas as pd
from scipy import sparse

from mammoflow import breast, pool, storage
from mammoflow.boxes import bounding_box
from mammoflow.breast import Geometry, Region
from mammoflow.contracts.stored import FALLBACK, LESION_OUTSIDE, STORED
from mammoflow.exclusions import Excluded

CHUNK = 256
# Longest side of an overview in pixels.
OVERVIEW = 192
# More masks than any image has; they are in memory at the same time.
MAX_LESIONS = 64


class Archive(Protocol):
    """What a module of `mammoflow.datasets` offers here."""

    def read_image(self, root: Path, path: str) -> np.ndarray:
        """(M, N) uint16 grey values."""

    def lesion_mask(self, root: Path, source: str, shape: tuple[int, int]) -> np.ndarray:
        """(M, N) bool pixels of a mass."""


@dataclass(frozen=True)
class StoredImage:
    """One breast as later stages see it, its chest wall at the left.

    Parameters
    ----------
    image_id : str
        Study-local identifier.
    pixels : (m, n) uint16 ndarray
        Grey values, air dark.
    breast : (m, n) bool ndarray
        The breast region.
    lesions : (m, n) uint8 ndarray
        0 outside lesions; k inside the k-th row (from 1) of this image in ``lesions.csv``.
    geometry : Geometry
        The way back to the original image.
    flags : str
        What a reader should know, joined by ``;``.
    masses : int
        Masses that the release marks in the image, those outside the crop included.
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
class Overview:
    """A whole original image made small, with the breast region found in it, for a person to look at.

    Parameters
    ----------
    picture : (m, n) uint8 ndarray
        Square root of the grey values, so that the skin line shows; no side longer than `OVERVIEW`.
    region : (m, n) bool ndarray
        What was found, plausible or not.
    rows, columns : int
        Shape of the original image.
    """

    picture: np.ndarray
    region: np.ndarray
    rows: int
    columns: int


def overview(region: Region) -> Overview:
    """Overview of the image in which a region was found."""
    rows, columns = region.mask.shape
    picture = shrink(region.small, max(1.0, max(region.small.shape) / OVERVIEW))
    low, high = np.percentile(picture, [1, 99])
    picture = np.sqrt(np.clip((picture - low) / max(high - low, 1), 0, 1))
    places = [
        ((np.arange(count) + 0.5) * size / count).astype(int)
        for count, size in zip(picture.shape, region.mask.shape, strict=True)
    ]
    return Overview(np.rint(255 * picture).astype(np.uint8), region.mask[np.ix_(*places)], rows, columns)


def pixels_digest(image: np.ndarray) -> str:
    """Hexadecimal SHA-256 of an image's shape and grey values: the same for the same film under two names.

    Parameters
    ----------
    image : (M, N) uint16 ndarray
        Grey values of an original image.

    Notes
    -----
    Over the text ``"M N "`` and the pixels row by row, low byte first.
    """
    digest = hashlib.sha256("{} {} ".format(*image.shape).encode())
    digest.update(np.ascontiguousarray(image, dtype="<u2"))
    return digest.hexdigest()


def shrink(image: np.ndarray, factor: float) -> np.ndarray:
    """Area average: each output pixel is the mean of the part of the image that it covers.

    Parameters
    ----------
    image : (M, N) array
        Any real or boolean type.
    factor : float
        Input pixels per output pixel along each axis, at least 1; need not be an integer.

    Returns
    -------
    (ceil(M / factor), ceil(N / factor)) float32 ndarray
        The last row and column average what is left of the image.

    Examples
    --------
    >>> shrink(np.array([[0, 3, 6]]), 1.5).tolist()
    [[1.0, 5.0]]
    """
    down = _weights(image.shape[0], factor) @ image.astype(np.float32, copy=False)
    return np.ascontiguousarray((_weights(image.shape[1], factor) @ down.T).T)


def _weights(size: int, factor: float) -> sparse.csr_array:
    """Share of each of `size` input pixels in each output pixel; rows sum to 1."""
    count = breast.reduced(size, factor)
    edges = np.append(np.arange(count) * float(factor), size)
    first = np.floor(edges[:-1]).astype(int)
    last = np.ceil(edges[1:]).astype(int)
    rows = np.repeat(np.arange(count), last - first)
    columns = np.concatenate([np.arange(*span) for span in zip(first, last, strict=True)])
    shares = np.minimum(columns + 1, edges[rows + 1]) - np.maximum(columns, edges[rows])
    shares /= np.diff(edges)[rows]
    return sparse.csr_array((shares.astype(np.float32), (rows, columns)), shape=(count, size))


def label_map(masks: Sequence[np.ndarray], geometry: Geometry) -> np.ndarray:
    """Lesions of an original image as one label map of its stored image.

    A stored pixel belongs to a lesion that covers at least half of it. Where lesions overlap
    the smaller one shows. A lesion that covers half of no pixel, or that others hide, keeps the
    pixel it covers most.

    Parameters
    ----------
    masks : sequence of (M, N) bool ndarray
        One per lesion, in the order of the table.
    geometry : Geometry
        Where the stored image lies.

    Returns
    -------
    (m, n) uint8 ndarray
        0, or the lesion's place in the sequence, from 1.
    """
    labels = np.zeros(geometry.shape, dtype=np.uint8)
    cover = {label: _reduce(mask, geometry) for label, mask in enumerate(masks, start=1)}
    by_area = sorted(cover, key=lambda label: -np.count_nonzero(masks[label - 1]))
    for label in by_area:
        labels[_half(cover[label])] = label
    for label in by_area:
        if cover[label].any() and not (labels == label).any():
            labels[np.unravel_index(cover[label].argmax(), labels.shape)] = label
    return labels


def _half(cover: np.ndarray) -> np.ndarray:
    """Where a reduced mask covers at least half a pixel."""
    return cover if cover.dtype == bool else cover >= 0.5


def _reduce(image: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Crop, mirror and area-average an original image; its own type where the factor is 1."""
    crop = image[geometry.y0 : geometry.y1, geometry.x0 : geometry.x1]
    crop = crop[:, ::-1] if geometry.mirrored else crop
    return np.ascontiguousarray(crop) if geometry.factor == 1 else shrink(crop, geometry.factor)


def factor_of(resolution: str | Mapping[str, float], spacing_mm: float | None) -> float:
    """Original pixels per stored pixel at a working resolution.

    Parameters
    ----------
    resolution : str or mapping
        ``"original"``, ``{"mm": 0.28}`` (mm per stored pixel) or ``{"factor": 4}``.
    spacing_mm : float or None
        Pixel spacing of the original; None or NaN where unknown.

    Raises
    ------
    Excluded
        ``spacing-unknown`` when mm are asked for and the spacing is unknown.
    ValueError
        When the resolution is none of the three, or not a positive number.

    Notes
    -----
    Images are never enlarged: an original coarser than the mm asked for keeps its pixels.
    """
    if resolution == "original":
        return 1.0
    if isinstance(resolution, Mapping) and len(resolution) == 1:
        ((unit, value),) = resolution.items()
        if unit == "factor" and 1 <= value < np.inf:
            return float(value)
        if unit == "mm" and 0 < value < np.inf:
            if spacing_mm is None or np.isnan(spacing_mm):
                raise Excluded("spacing-unknown", "give a factor, or 'original', instead of mm")
            return max(1.0, round(value / spacing_mm, 6))
    raise ValueError(
        "resolution: expected 'original', a mapping mm: (more than 0) or a mapping factor: (1 or more), "
        f"got {resolution!r}"
    )


def require_spacing(spacings_mm: pd.Series, resolution: str | Mapping[str, float], dataset: str) -> None:
    """Refuse a resolution in mm where no image of a data set could be stored at it.

    Raises
    ------
    ValueError
        When mm are asked for and every spacing is unknown.
    """
    if "mm" in resolution and spacings_mm.isna().all():
        raise ValueError(
            f"datasets.{dataset}.resolution: expected 'original' or a factor, since none of the "
            f"{len(spacings_mm)} images tells its pixel spacing; got mm"
        )


def prepare(
    image_id: str,
    image: np.ndarray,
    region: Region,
    lesion_masks: Sequence[np.ndarray],
    laterality: str,
    resolution: str | Mapping[str, float],
    spacing_mm: float | None,
) -> StoredImage:
    """Crop an original image to its breast, mirror and reduce.

    Parameters
    ----------
    image_id : str
        Study-local identifier.
    image : (M, N) uint16 ndarray
        Grey values as `dicom.decode` returns them.
    region : Region
        Of `breast.breast_region`.
    lesion_masks : sequence of (M, N) bool ndarray
        One per lesion, in the order of ``lesions.csv``.
    laterality : {"L", "R", ""}
        The side that the release names.
    resolution : str or mapping
        As `factor_of`.
    spacing_mm : float or None
        Pixel spacing; None or NaN where unknown.

    Raises
    ------
    Excluded
        When the region is not plausible, or the resolution needs a spacing that is unknown.

    Notes
    -----
    The masses have no say in where the breast is. One that lies mostly outside is a flag,
    ``lesion-outside-breast``, and a miss when the image is tested.
    """
    if region.problem:
        raise region.problem
    factor = factor_of(resolution, spacing_mm)
    side = breast.chest_wall(region.mask, laterality)
    y0, x0, y1, x1 = bounding_box(region.mask)
    geometry = Geometry(*image.shape, y0, x0, y1, x1, mirrored=side == "right", factor=factor)
    pixels = _reduce(image, geometry)
    if pixels.dtype != np.uint16:
        pixels = np.rint(pixels).astype(np.uint16)
    flags = [] if breast.expected_side(laterality) in ("", side) else [f"chest wall at the {side}"]
    if region.fallback:
        flags.append(FALLBACK)
    if any(np.count_nonzero(mask & region.mask) < np.count_nonzero(mask) / 2 for mask in lesion_masks):
        flags.append(LESION_OUTSIDE)
    return StoredImage(
        image_id=image_id,
        pixels=pixels,
        breast=_half(_reduce(region.mask, geometry)),
        lesions=label_map(lesion_masks, geometry),
        geometry=geometry,
        flags=";".join(flags),
        masses=len(lesion_masks),
    )


def shard_of(patient_id: str, shards: int) -> int:
    """Shard that holds a patient's images: a stable digest, the same in every process and year."""
    digest = hashlib.sha256(patient_id.encode()).digest()
    return int.from_bytes(digest[:8], "big") % shards


class Indexed(NamedTuple):
    """A mass as ``lesions.csv`` has it."""

    source: str
    box: tuple[int, int, int, int]
    area_px: int


class Task(NamedTuple):
    """An image to prepare, as ``images.csv`` has it, and its masses in the order of ``lesions.csv``."""

    image_id: str
    path: str
    laterality: str
    spacing_mm: float
    shape: tuple[int, int]
    lesions: list[Indexed]


def tasks(table: pd.DataFrame, lesions: pd.DataFrame) -> list[Task]:
    """Images of a table, each with its masses in the order of ``lesions.csv``."""
    indexed = defaultdict(list)
    for row in lesions.itertuples(index=False):
        indexed[row.image_id].append(Indexed(row.source, (row.y0, row.x0, row.y1, row.x1), row.area_px))
    return [
        Task(
            row.image_id,
            row.path,
            row.laterality,
            row.spacing_mm,
            (row.rows, row.columns),
            indexed[row.image_id],
        )
        for row in table.itertuples(index=False)
    ]


def fill(
    file: h5py.File,
    table: pd.DataFrame,
    lesions: pd.DataFrame,
    archive: Archive,
    root: Path,
    acquisition: str,
    resolution: str | Mapping[str, float],
    threads: int,
) -> pd.DataFrame:
    """Prepare images and add them to an open store, with a few of them in memory at a time.

    Parameters
    ----------
    file : h5py.File
        Open for writing.
    table, lesions : pandas.DataFrame
        Images to store, and lesions of these and other images, as the index lists them.
    archive : module of mammoflow.datasets
        How images and masses are read.
    root : Path
        Root of the release.
    acquisition, resolution : str, str or mapping
        As `breast.breast_region` and `factor_of`.
    threads : int
        Images prepared at the same time, each by a process of its own: much of the time goes into
        compression, and HDF5 does that for one image at a time in a process.

    Returns
    -------
    pandas.DataFrame
        A 'stored' table: every image of `table`, stored (``detail`` holds its flags) or not (with the
        reason).

    Raises
    ------
    RuntimeError
        When a process is killed.
    """
    add = partial(_add, archive.read_image, archive.lesion_mask, root, acquisition, resolution)
    asked = tasks(table, lesions)
    outcomes = []
    if threads == 1:
        outcomes.extend(add(task, file) for task in asked)
    else:
        with _named_when_killed(outcomes, len(asked)):
            for outcome, packed in pool.ordered(partial(_packed, add), asked, threads, pool.processes):
                _unpack(packed, file)
                outcomes.append(outcome)
    return pd.DataFrame(outcomes, columns=list(STORED.columns))


@contextmanager
def _named_when_killed(done: Sequence, count: int) -> Iterator[None]:
    try:
        yield
    except BrokenProcessPool as error:
        raise RuntimeError(
            f"images: expected {count} images prepared, got a process that was killed after {len(done)} of "
            "them, for lack of memory perhaps; run again with fewer threads"
        ) from error


def _add(
    read_image: Callable,
    lesion_mask: Callable,
    root: Path,
    acquisition: str,
    resolution: str | Mapping[str, float],
    task: Task,
    file: h5py.File,
) -> tuple[str, bool, str, str, str]:
    """Prepare one image and add it to an open store; its row of the 'stored' table."""
    digest = ""
    try:
        image = read_image(root, task.path)
        if image.shape != task.shape:
            raise Excluded(
                "changed", f"expected {task.shape} pixels, as the index has them, got {image.shape}"
            )
        digest = pixels_digest(image)
        region = breast.breast_region(image, acquisition)
        write_overview(file, task.image_id, overview(region))
        masks = masks_of(task, partial(lesion_mask, root))
        stored = prepare(task.image_id, image, region, masks, task.laterality, resolution, task.spacing_mm)
    except Excluded as error:
        if error.reason == "missing-file":
            # Also the first of many when a disk went away: none is to be left out for that.
            raise FileNotFoundError(
                f"image '{task.image_id}': expected the files that the index lists, one is not there; "
                "put the release back and run again, or index what there is: --forcerun index"
            ) from error
        return task.image_id, False, error.reason, error.detail, digest
    write(file, replace(stored, pixels_sha256=digest))
    return task.image_id, True, "", stored.flags, digest


def masks_of(task: Task, lesion_mask: Callable) -> list[np.ndarray]:
    """Masses of an image; one that is not what the index says raises `Excluded`."""
    if len(task.lesions) > MAX_LESIONS:
        raise Excluded("too-many-lesions", f"expected at most {MAX_LESIONS}, got {len(task.lesions)}")
    masks = []
    for lesion in task.lesions:
        mask = lesion_mask(lesion.source, task.shape)
        if np.count_nonzero(mask) != lesion.area_px or bounding_box(mask) != lesion.box:
            raise Excluded("changed", "a mass is not where the index has it")
        masks.append(mask)
    return masks


def _packed(add: Callable, task: Task) -> tuple[tuple, bytes]:
    """What `_add` says of an image, and the bytes of a store that holds it alone."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", libver="latest") as file:
        outcome = add(task, file)
    return outcome, buffer.getvalue()


def _unpack(packed: bytes, file: h5py.File) -> None:
    """Move what a store in memory holds to an open store; compressed chunks stay as they are."""
    with h5py.File(io.BytesIO(packed)) as part:
        for kind in part:
            target = file.require_group(kind)
            for image_id in part[kind]:
                part.copy(f"{kind}/{image_id}", target)


def write(file: h5py.File, stored: StoredImage) -> None:
    """Add one image to an open store."""
    group = file.create_group(f"images/{stored.image_id}")
    for name in ("pixels", "breast", "lesions"):
        array = getattr(stored, name)
        chunks = tuple(min(CHUNK, size) for size in array.shape)
        group.create_dataset(name, data=array, chunks=chunks, **storage.ARRAY)
    facts = {name: getattr(stored, name) for name in ("flags", "masses", "pixels_sha256")}
    group.attrs.update(stored.geometry.to_attributes(), **facts)


def write_overview(file: h5py.File, image_id: str, seen: Overview) -> None:
    """Add the overview of one image, stored or not, to an open store."""
    group = file.create_group(f"overviews/{image_id}")
    for name in ("picture", "region"):
        group.create_dataset(name, data=getattr(seen, name), **storage.ARRAY)
    group.attrs.update(rows=seen.rows, columns=seen.columns)


def read_overviews(file: h5py.File) -> Iterator[tuple[str, Overview]]:
    """Identifiers, sorted, and overviews of all images of an open store that could be decoded."""
    for image_id, group in sorted(file["overviews"].items()) if "overviews" in file else ():
        arrays = (group[name][()] for name in ("picture", "region"))
        yield image_id, Overview(*arrays, rows=int(group.attrs["rows"]), columns=int(group.attrs["columns"]))


def read(file: h5py.File, image_id: str) -> StoredImage:
    """One image of an open store.

    Raises
    ------
    KeyError
        When the store does not hold the image.
    """
    group = _group(file, image_id)
    arrays = {name: group[name][()] for name in ("pixels", "breast", "lesions")}
    return StoredImage(
        image_id,
        **arrays,
        geometry=Geometry.from_attributes(group.attrs),
        flags=group.attrs["flags"],
        masses=int(group.attrs["masses"]),
        pixels_sha256=group.attrs["pixels_sha256"],
    )


def _group(file: h5py.File, image_id: str) -> h5py.Group:
    if f"images/{image_id}" not in file:
        raise KeyError(f"{file.filename}: expected image '{image_id}', which it does not hold")
    return file[f"images/{image_id}"]


def image_ids(file: h5py.File) -> list[str]:
    """Identifiers of the images of an open store, sorted."""
    return sorted(file["images"]) if "images" in file else []


class Store(Mapping):
    """Images of several shards by identifier; see `open_store`."""

    def __init__(self, paths: Sequence[str | Path]) -> None:
        self._paths = {}
        for path in paths:
            with storage.open_hdf5(path) as file:
                for image_id in image_ids(file):
                    if image_id in self._paths:
                        both = f"{self._paths[image_id]} and {path}"
                        raise ValueError(f"image '{image_id}': expected in one shard, got {both}")
                    self._paths[image_id] = path

    def __getitem__(self, image_id: str) -> StoredImage:
        if image_id not in self._paths:
            places = ", ".join(sorted({str(Path(path).parent) for path in self._paths.values()}))
            raise KeyError(
                f"image: expected one of the {len(self)} stored in {places or 'no shard'}, got '{image_id}'"
            )
        with storage.open_hdf5(self._paths[image_id]) as file:
            return read(file, image_id)

    def __contains__(self, image_id: object) -> bool:
        return image_id in self._paths

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._paths))

    def __len__(self) -> int:
        return len(self._paths)


def open_store(paths: str | Path | Sequence[str | Path]) -> Store:
    """Images of one or several shards as a mapping from image identifier to `StoredImage`.

    Parameters
    ----------
    paths : path or sequence of paths
        Shards written by the images stage. Each is opened once to list its images, and again
        for each image that is asked for: memory holds one image at a time.

    Raises
    ------
    ValueError
        When a shard is not complete, or two shards hold the same image.
    """
    return Store([paths] if isinstance(paths, (str, Path)) else list(paths))
