"""Reads CBIS-DDSM as JPEG files: the mirror whose ``dicom_info.csv`` has the headers of the DICOM objects.

Its pictures have 8 bits, on another scale than the DICOM objects: they are other images of the same films.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from mammoflow.archives import cbis_ddsm, picture_files, release
from mammoflow.archives.cbis_ddsm import CALCIFICATION, Form, Key, Object
from mammoflow.archives.marks import CBIS_DDSM_JPEG_TABLE, CBIS_DDSM_TABLES
from mammoflow.archives.release import Files, Index
from mammoflow.base import pool, user_tables
from mammoflow.base.exclusions import Excluded

COLUMNS = ("image_path", "PatientID", "SeriesInstanceUID", "SOPInstanceUID", "Laterality")

# The compression spreads the two values of a mask: pixels from the threshold on are the mass, and few lie in
# the middle.
THRESHOLD = 128
_MIDDLE, _MIDDLE_SHARE = (64, 192), 0.02


def index(root: Path, threads: int) -> Index:
    """Images, masses and exclusions of a release of CBIS-DDSM as JPEG files.

    Which object a file is, is looked up in ``dicom_info.csv`` by the last two parts of its path, series
    and name; the tables of masses name case and series of the object. Which object of a region of
    interest is its mask is decided by content, as for DICOM files: it has nearly the size of the
    image, and nearly all of its pixels are black or white.

    Parameters
    ----------
    root : Path
        Folder with the pictures at any depth, and ``dicom_info.csv`` and the two mass tables at most
        two folders below. ``meta.csv`` and the tables of calcifications are not read.
    threads : int
        Files read at the same time.

    Raises
    ------
    ValueError
        When a table is missing or there twice, a column is missing, or no JPEG file is there or
        usable as an image.
    """
    files = release.walk(root)
    tables, rows = cbis_ddsm.read_tables(files)
    path = release.table_path(files, [CBIS_DDSM_JPEG_TABLE])
    info = user_tables.read(files.root / path, COLUMNS, "the table of all objects of CBIS-DDSM as JPEG")
    release.require_some(files, "JPEG files of CBIS-DDSM", picture_files.is_jpeg)
    objects = _objects(files, path, info, cbis_ddsm.named(rows), threads)
    tree = cbis_ddsm.without_copies(files, objects, FORM, threads)
    return cbis_ddsm.index_of(files, [*tables, path], rows, tree, FORM, threads)


def read_image(root: Path, path: str) -> np.ndarray:
    """(M, N) uint16 grey values of an image of ``images.csv``, from 0 to 255; see `picture_files.read`."""
    return picture_files.read(release.inside(root, path))


def lesion_mask(root: Path, source: str, shape: tuple[int, int]) -> np.ndarray:
    """Pixels of a mass.

    Parameters
    ----------
    root : Path
        Root of the release.
    source : str
        Of ``lesions.csv``: the relative path of the mask's picture.
    shape : tuple of int
        Rows and columns of the image.

    Returns
    -------
    (M, N) bool ndarray

    Raises
    ------
    Excluded
        As `picture_files.read`, ``mask-missing``, ``mask-constant`` and ``mask-size``.
    """
    return cbis_ddsm.mask_of(FORM, root, source, shape)


def _tail(path: str) -> str:
    """Series and name of a picture, which the table and the disk both have."""
    return "/".join(path.replace("\\", "/").split("/")[-2:])


def _objects(files: Files, table: str, info: pd.DataFrame, names: set[Key], threads: int) -> list[Object]:
    """Objects of the series that the tables name; other pictures, and rows without one, are excluded."""
    pictures = defaultdict(list)
    for path in files.paths:
        if picture_files.is_jpeg(path):
            pictures[_tail(path)].append(path)
        elif PurePosixPath(path).name not in (CBIS_DDSM_JPEG_TABLE, *CBIS_DDSM_TABLES.values()):
            files.plain += 1
    info = info[list(COLUMNS)].apply(lambda column: column.str.strip())
    said = {}
    for place, row in enumerate(info.to_dict("records"), start=2):
        tail = _tail(row["image_path"])
        if tail in said:
            files.exclude(f"{table}:{place}", Excluded("duplicate", "a second row of one picture"))
        elif tail not in pictures and not row["PatientID"].startswith(CALCIFICATION):
            files.exclude(f"{table}:{place}", Excluded("missing-file", "a row of the table"))
        said.setdefault(tail, row)
    wanted = []
    for tail, paths in pictures.items():
        row = said.get(tail)
        if row is not None and (row["PatientID"], row["SeriesInstanceUID"]) in names:
            wanted += [(path, row) for path in paths]
            continue
        for path in paths:
            files.exclude(path, cbis_ddsm.not_named(row["PatientID"] if row else ""))
    return _read(files, wanted, threads)


def _read(files: Files, wanted: Iterable[tuple[str, Mapping[str, str]]], threads: int) -> list[Object]:
    """Objects of some pictures and their rows; pictures that cannot be read are excluded."""
    found = []
    for path, item in pool.in_processes(partial(_object, files.root), wanted, threads):
        if isinstance(item, Excluded):
            files.exclude(path, item)
        else:
            found.append(item)
    return found


def _object(root: Path, wanted: tuple[str, Mapping[str, str]]) -> tuple[str, Object | Excluded]:
    path, row = wanted
    try:
        shape = picture_files.shape(release.inside(root, path))
    except Excluded as error:
        return path, error
    return path, Object(
        path=path,
        case=row["PatientID"],
        series=row["SeriesInstanceUID"],
        instance=row["SOPInstanceUID"],
        shape=shape,
        spacing_mm=None,
        spacing_source="",
        sides=frozenset({row["Laterality"]} & {"L", "R"}),
        flags=[],
    )


def _white(pixels: np.ndarray) -> np.ndarray | None:
    """Pixels from `THRESHOLD` on, if most are near black or white.

    Raises
    ------
    Excluded
        ``mask-constant``.
    """
    low, high = _MIDDLE
    if np.count_nonzero((pixels >= low) & (pixels < high)) > _MIDDLE_SHARE * pixels.size:
        return None
    mask = pixels >= THRESHOLD
    if mask.all() or not mask.any():
        raise Excluded("mask-constant")
    return mask


FORM = Form(read_image, _white)
