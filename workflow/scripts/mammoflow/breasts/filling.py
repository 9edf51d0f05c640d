"""Prepares the images of one shard of the images store, in several processes."""

import io
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol

import h5py
import numpy as np
import pandas as pd

from mammoflow.base import pool
from mammoflow.base.boxes import bounding_box
from mammoflow.base.contracts.stored import STORED
from mammoflow.base.exclusions import Excluded
from mammoflow.breasts import image_store, segmentation
from mammoflow.breasts.preparation import MAX_LESIONS, overview, pixels_digest, prepare


class Archive(Protocol):
    """The functions of a module of `mammoflow.archives` that are used here."""

    def read_image(self, root: Path, path: str) -> np.ndarray:
        """Grey values of an image, (M, N) uint16."""

    def lesion_mask(self, root: Path, source: str, shape: tuple[int, int]) -> np.ndarray:
        """Mask of a mass, (M, N) bool."""


class Indexed(NamedTuple):
    """A mass as listed in ``lesions.csv``."""

    source: str
    box: tuple[int, int, int, int]
    area_px: int


class Task(NamedTuple):
    """An image to prepare, as listed in ``images.csv``, and its masses in the order of ``lesions.csv``."""

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
    """Prepare images and add them to an open store, holding only a few in memory at a time.

    Parameters
    ----------
    file : h5py.File
        Open for writing.
    table, lesions : pandas.DataFrame
        Images to store, and lesions of these and possibly other images, as listed in the index.
    archive : module of mammoflow.archives
        Reads images and masses.
    root : Path
        Root of the release.
    acquisition, resolution : str, str or mapping
        See `segmentation.breast_region` and `preparation.factor_of`.
    threads : int
        Images prepared at the same time, each in a separate process: much of the time is spent on
        compression, and within a process HDF5 compresses only one image at a time.

    Returns
    -------
    pandas.DataFrame
        A 'stored' table with a row for every image of `table`: stored (``detail`` holds its flags) or not
        stored (with the reason).

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
        for outcome, packed in pool.in_processes(partial(_packed, add), asked, threads):
            _unpack(packed, file)
            outcomes.append(outcome)
    return pd.DataFrame(outcomes, columns=list(STORED.columns))


def _add(
    read_image: Callable,
    lesion_mask: Callable,
    root: Path,
    acquisition: str,
    resolution: str | Mapping[str, float],
    task: Task,
    file: h5py.File,
) -> tuple[str, bool, str, str, str, str]:
    """Prepare one image, add it to an open store, and return its row of the 'stored' table."""
    digest = ""
    try:
        image = read_image(root, task.path)
        if image.shape != task.shape:
            raise Excluded(
                "changed", f"expected {task.shape} pixels, as listed in the index, got {image.shape}"
            )
        digest = pixels_digest(image)
        region = segmentation.breast_region(image, acquisition)
        image_store.write_overview(file, task.image_id, overview(region))
        masks = masks_of(task, partial(lesion_mask, root))
        stored = prepare(task.image_id, image, region, masks, task.laterality, resolution, task.spacing_mm)
    except Excluded as error:
        if error.reason == "missing-file":
            # All files may be missing because a disk is not mounted; images must not be excluded for that.
            raise FileNotFoundError(
                f"image '{task.image_id}': expected the files listed in the index, got a missing one; "
                "restore the release and run again, or index the files that exist: --forcerun index"
            ) from error
        return task.image_id, False, error.reason, error.detail, digest, ""
    image_store.write(file, replace(stored, pixels_sha256=digest))
    return task.image_id, True, "", stored.flags, digest, image_store.digest(stored)


def masks_of(task: Task, lesion_mask: Callable) -> list[np.ndarray]:
    """Masks of the masses of an image; raises `Excluded` when a mass differs from the index."""
    if len(task.lesions) > MAX_LESIONS:
        raise Excluded("too-many-lesions", f"expected at most {MAX_LESIONS}, got {len(task.lesions)}")
    masks = []
    for lesion in task.lesions:
        mask = lesion_mask(lesion.source, task.shape)
        if np.count_nonzero(mask) != lesion.area_px or bounding_box(mask) != lesion.box:
            raise Excluded("changed", "a mass differs from its area or box in the index")
        masks.append(mask)
    return masks


def _packed(add: Callable, task: Task) -> tuple[tuple, bytes]:
    """Result of `_add` for an image, and the bytes of a store that holds only this image."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", libver="latest") as file:
        outcome = add(task, file)
    return outcome, buffer.getvalue()


def _unpack(packed: bytes, file: h5py.File) -> None:
    """Copy the content of a store in memory to an open store, without recompressing it."""
    with h5py.File(io.BytesIO(packed)) as part:
        for kind in part:
            target = file.require_group(kind)
            for image_id in part[kind]:
                part.copy(f"{kind}/{image_id}", target)
