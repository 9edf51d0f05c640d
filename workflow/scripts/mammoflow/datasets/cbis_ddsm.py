"""CBIS-DDSM: a DICOM tree, as any download tool of any year left it, and the two mass tables.

References
----------
.. [1] Lee et al., "A curated mammography data set for use in computer-aided detection and
   diagnosis research", Scientific Data 4:170177 (2017), doi:10.7937/K9/TCIA.2016.7O02S9CY.
"""

import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from mammoflow import dicom, pool
from mammoflow.datasets import marks, release
from mammoflow.datasets.release import Files, Index
from mammoflow.exclusions import Excluded

TABLES = marks.CBIS_DDSM_TABLES
COLUMNS = (
    "patient_id",
    "left or right breast",
    "image view",
    "abnormality id",
    "pathology",
    "image file path",
    "cropped image file path",
    "ROI mask file path",
)
PAPER = {
    "patients": 892,
    "patients (text)": 891,
    "images": 1592,
    "masses": 1696,
    "masses (text)": 1698,
    "train patients": 691,
    "train images": 1231,
    "train masses": 1318,
    "test patients": 201,
    "test images": 361,
    "test masses": 378,
}

# Two digitisers (50 and 43.5 µm) made some masks 1.149 times as large as their images.
MASK_SCALES = (0.8, 1.25)
MASK_TOLERANCE = 0.005

_CASE = re.compile(r"[\w-]+")


@dataclass(frozen=True)
class _Object:
    """What the header of a usable DICOM object says."""

    path: str
    case: str
    series: str
    instance: str
    shape: tuple[int, int]
    spacing_mm: float | None
    spacing_source: str
    flags: list[str]


@dataclass
class _Case:
    """One image of the tables with what was found for it."""

    image: dict[str, object] | None = None
    flags: list[str] = field(default_factory=list)
    lesions: list[dict[str, object]] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    excluded: list[tuple[str, Excluded]] = field(default_factory=list)


def index(root: Path, threads: int) -> Index:
    """Images, masses and exclusions of a CBIS-DDSM release.

    Objects are found by their headers (PatientID, which holds the case, and SeriesInstanceUID),
    never by folder names, which differ between download tools. Which object of a region of
    interest is its mask is decided by content: the tables are wrong for a third of them. An image
    with a mass that cannot be used is left out whole: elsewhere it would pass for complete.

    Parameters
    ----------
    root : Path
        Folder with the DICOM tree at any depth, and the two mass tables at most two folders below.
    threads : int
        Files read at the same time.

    Raises
    ------
    ValueError
        When a table is missing or there twice, a column is missing, or no image is usable.
    """
    files = release.walk(root)
    table_paths, table = _tables(files)
    objects = _objects(files, threads)
    by_series = defaultdict(list)
    for item in objects:
        by_series[item.case, item.series].append(item)
    numbers = defaultdict(list)
    for number, path in table["image file path"].items():
        numbers[_image_key(path)].append(number)
    groups = [table.loc[numbers[key]] for key in sorted(numbers)]
    images, lesions, used = [], [], set(table_paths)
    for case in pool.ordered(lambda group: _case(files.root, group, by_series), groups, threads):
        images.extend([case.image] if case.image else [])
        lesions.extend(case.lesions)
        used |= case.used
        for path, error in case.excluded:
            files.exclude(path, error)
    known = used | {row["path"] for row in files.excluded}
    for item in objects:
        if item.path not in known:
            files.exclude(item.path, Excluded("not-in-table"))
    return release.make_index(files, images, lesions, PAPER, _counts(images, lesions), len(used))


def read_image(root: Path, path: str) -> np.ndarray:
    """(M, N) uint16 grey values of an image of ``images.csv``; see `dicom.decode`."""
    return release.read_dicom(root, path)


def lesion_mask(root: Path, source: str, shape: tuple[int, int]) -> np.ndarray:
    """Pixels of a mass.

    Parameters
    ----------
    root : Path
        Root of the release.
    source : str
        Of ``lesions.csv``: the relative path of the mask object.
    shape : tuple of int
        Rows and columns of the image.

    Returns
    -------
    (M, N) bool ndarray

    Raises
    ------
    Excluded
        As `dicom.decode`, ``mask-constant`` and ``mask-size``.
    """
    return _fit(_binary(release.read_dicom(root, source)), shape)


def _tables(files: Files) -> tuple[list[str], pd.DataFrame]:
    """Paths of the mass tables, and their rows with clean cells and the split they belong to."""
    paths, frames = [], []
    for split, name in TABLES.items():
        paths.append(release.table_path(files, [name]))
        frames.append(_read_table(files.root / paths[-1]).assign(split=split))
    return paths, pd.concat(frames, ignore_index=True)


def _read_table(path: Path) -> pd.DataFrame:
    frame = release.read_csv(path, "a table separated by commas")
    missing = [column for column in COLUMNS if column not in frame]
    if missing:
        raise ValueError(f"{path}: expected the columns of a CBIS-DDSM mass table, missing {missing}")
    # Cells end in a newline in every row of every copy; some copies have Windows separators.
    frame = frame[list(COLUMNS)].apply(lambda column: column.str.strip())
    for column in COLUMNS[-3:]:
        frame[column] = frame[column].str.replace("\\", "/", regex=False)
    return frame


def _objects(files: Files, threads: int) -> list[_Object]:
    """Objects of the tree that pass the gate, each once; the others are excluded."""
    candidates = []
    for path in files.paths:
        if release.is_image(files.root, path):
            candidates.append(path)
        elif PurePosixPath(path).name not in TABLES.values():
            files.plain += 1
    objects, instances = [], set()
    headers = pool.ordered(lambda path: _read_object(files.root, path), candidates, threads)
    for path, item in zip(candidates, headers, strict=True):
        if isinstance(item, _Object) and item.instance in instances:
            item = Excluded("duplicate")
        if isinstance(item, Excluded):
            files.exclude(path, item)
        else:
            objects.append(item)
            instances.add(item.instance)
    return objects


def _read_object(root: Path, path: str) -> _Object | Excluded:
    try:
        header = dicom.read_header(release.inside(root, path))
        if reason := dicom.gate(header):
            return Excluded(reason)
        case, series, instance = (
            str(dicom.value(header, name, ""))
            for name in ("PatientID", "SeriesInstanceUID", "SOPInstanceUID")
        )
        spacing_mm, source, flags = dicom.spacing(header)
        shape = (header.Rows, header.Columns)
        return _Object(path, case, series, instance, shape, spacing_mm, source, dicom.flags(header) + flags)
    except Excluded as error:
        return error


def _key(path: str) -> tuple[str, str]:
    """Case and series of a table's path ``.../case/study/series/file``.

    Raises
    ------
    Excluded
        ``bad-row``.
    """
    parts = path.split("/")
    if len(parts) < 4 or not _CASE.fullmatch(parts[-4]):
        raise Excluded("bad-row", "expected a path case/study/series/file")
    return parts[-4], parts[-2]


def _image_key(path: str) -> tuple[str, str]:
    """What the paths of one image have in common: `_key`, or all of a path that has none."""
    try:
        return _key(path)
    except Excluded:
        return "", path


def _case(root: Path, rows: pd.DataFrame, by_series: dict[tuple[str, str], list[_Object]]) -> _Case:
    """One image with its masses, from its rows of the table."""
    case, row, full = _Case(), rows.iloc[0], None
    try:
        image_id, full = _full_image(row, by_series)
        laterality, view = _side_and_view(rows)
        repeats = _repeats(rows, by_series)
    except Excluded as error:
        case.excluded.append((full.path if full else row["image file path"], error))
        for _, lesion in rows.iterrows():
            _exclude_lesion(case, lesion, _candidates(lesion, by_series), Excluded("image-excluded"))
        return case
    twice = [
        (path, Excluded("duplicate", "a row of the table that is there a second time"))
        for path in rows["ROI mask file path"][repeats]
    ]
    rows = rows[~repeats]
    case.flags += full.flags
    failures = {}
    for number, lesion in rows.iterrows():
        try:
            _add_lesion(case, root, image_id, full, lesion, _candidates(lesion, by_series))
        except Excluded as error:
            failures[number] = error
    if failures:
        case = _Case(excluded=[(full.path, release.lesion_excluded(len(failures), len(rows)))])
        for number, lesion in rows.iterrows():
            error = failures.get(number, Excluded("image-excluded"))
            _exclude_lesion(case, lesion, _candidates(lesion, by_series), error)
        case.excluded += twice
        return case
    case.excluded += twice
    case.used.add(full.path)
    case.image = {
        "image_id": image_id,
        "patient_id": row["patient_id"],
        "laterality": laterality,
        "view": view,
        "official_split": row["split"],
        "path": full.path,
        "rows": full.shape[0],
        "columns": full.shape[1],
        "spacing_mm": full.spacing_mm,
        "spacing_source": full.spacing_source,
        "flags": ";".join(dict.fromkeys(case.flags)),
    }
    return case


def _full_image(row: pd.Series, by_series: dict[tuple[str, str], list[_Object]]) -> tuple[str, _Object]:
    """Identifier and object of a row's full image: the largest object of its series."""
    key = _key(row["image file path"])
    found = by_series.get(key, [])
    if not found:
        raise Excluded("missing-file")
    return key[0], max(found, key=lambda item: item.shape)


def _side_and_view(rows: pd.DataFrame) -> tuple[str, str]:
    """Side and view of an image, once its rows agree on these, the patient and the split.

    Raises
    ------
    Excluded
        ``bad-row``.
    """
    said = rows[["left or right breast", "image view", "patient_id", "split"]].drop_duplicates()
    if len(said) > 1:
        raise Excluded("bad-row", "the rows of the image differ in side, view, patient or split")
    side, view, patient, _ = said.iloc[0]
    if not patient:
        raise Excluded("bad-row", "expected a patient")
    if side not in ("LEFT", "RIGHT") or view not in ("CC", "MLO"):
        raise Excluded("bad-row", "expected LEFT or RIGHT and CC or MLO")
    return side[0], view


def _repeats(rows: pd.DataFrame, by_series: dict[tuple[str, str], list[_Object]]) -> pd.Series:
    """Which rows of an image say again what a row before them says.

    Raises
    ------
    Excluded
        ``bad-row`` when two rows of one abnormality differ: there could be two masses.
    """
    said = [
        (row["abnormality id"], row["pathology"], *(item.path for item in _candidates(row, by_series)))
        for _, row in rows.iterrows()
    ]
    again = pd.Series(said, index=rows.index).duplicated()
    if not again.equals(rows["abnormality id"].duplicated()):
        raise Excluded("bad-row", "two rows of one abnormality differ")
    return again


def _candidates(row: pd.Series, by_series: dict[tuple[str, str], list[_Object]]) -> list[_Object]:
    """Objects of the series that a row names for its crop and its mask, whichever is which."""
    keys = []
    for column in ("cropped image file path", "ROI mask file path"):
        try:
            keys.append(_key(row[column]))
        except Excluded:  # the other path may do; where neither does, nothing is found
            continue
    return [item for key in dict.fromkeys(keys) for item in by_series.get(key, [])]


def _add_lesion(
    case: _Case, root: Path, image_id: str, full: _Object, row: pd.Series, candidates: list[_Object]
) -> None:
    """Add a row's mass to its image.

    Raises
    ------
    Excluded
        When no mask, or no single mask, is found, or it does not fit.
    """
    source, mask = _find_mask(root, candidates, full.shape)
    lesion = release.lesion_row(
        image_id=image_id,
        lesion_id=f"{image_id}_{row['abnormality id']}",
        mask=_fit(mask, full.shape),
        spacing_mm=full.spacing_mm,
        pathology=row["pathology"],
        source=source,
    )
    if mask.shape != full.shape:
        case.flags.append("mask-resized")
    case.lesions.append(lesion)
    case.used |= {item.path for item in candidates}


def _exclude_lesion(case: _Case, row: pd.Series, candidates: list[_Object], error: Excluded) -> None:
    """List the files of a mass that is left out; the path of the table where there are none."""
    listed = {path for path, _ in case.excluded}
    paths = [item.path for item in candidates] or [row["ROI mask file path"]]
    case.excluded.extend((path, error) for path in paths if path not in listed)


def _find_mask(root: Path, candidates: list[_Object], shape: tuple[int, int]) -> tuple[str, np.ndarray]:
    """Path and pixels of the one candidate that has two values and nearly the size of the image."""
    if not candidates:
        raise Excluded("missing-file")
    masks = []
    for item in candidates:
        if all(MASK_SCALES[0] <= a / b <= MASK_SCALES[1] for a, b in zip(item.shape, shape, strict=True)):
            pixels = release.read_dicom(root, item.path)
            if _has_two_values(pixels):
                masks.append((item.path, pixels))
    if len(masks) != 1:
        raise Excluded("mask-ambiguous" if masks else "mask-missing")
    path, pixels = masks[0]
    return path, _binary(pixels)


def _has_two_values(pixels: np.ndarray) -> bool:
    """Whether there are at most two values."""
    return bool(((pixels == pixels.min()) | (pixels == pixels.max())).all())


def _binary(pixels: np.ndarray) -> np.ndarray:
    if pixels.min() == pixels.max():
        raise Excluded("mask-constant")
    return pixels == pixels.max()


def _fit(mask: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Mask at the image's size, by nearest neighbour where both axes have the same ratio.

    Raises
    ------
    Excluded
        ``mask-size``.
    """
    if mask.shape == tuple(shape):
        return mask
    down, across = mask.shape[0] / shape[0], mask.shape[1] / shape[1]
    if abs(down / across - 1) > MASK_TOLERANCE:
        raise Excluded("mask-size", f"mask of {mask.shape} on an image of {tuple(shape)} pixels")
    rows, columns = (
        ((np.arange(size) + 0.5) * (source / size)).astype(int)
        for size, source in zip(shape, mask.shape, strict=True)
    )
    return mask[np.ix_(rows, columns)]


def _counts(images: list[dict[str, object]], lesions: list[dict[str, object]]) -> dict[str, int]:
    """Quantities of the reconciliation."""
    split = {row["image_id"]: row["official_split"] for row in images}

    def count(name: str | None) -> tuple[int, int, int]:
        chosen = [row for row in images if name in (None, row["official_split"])]
        masses = sum(name in (None, split[row["image_id"]]) for row in lesions)
        return len({row["patient_id"] for row in chosen}), len(chosen), masses

    patients, total, masses = count(None)
    counts = {"patients": patients, "patients (text)": patients, "images": total}
    counts |= {"masses": masses, "masses (text)": masses}
    for name in TABLES:
        quantities = (f"{name} patients", f"{name} images", f"{name} masses")
        counts |= dict(zip(quantities, count(name), strict=True))
    return counts
