"""Reads CBIS-DDSM: DICOM files in the folder layout of any download tool, and the two mass tables.

References
----------
.. [1] Lee et al., "A curated mammography data set for use in computer-aided detection and
   diagnosis research", Scientific Data 4:170177 (2017), doi:10.7937/K9/TCIA.2016.7O02S9CY.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from mammoflow.archives import marks, release
from mammoflow.archives.release import Files, Index
from mammoflow.base import pool, user_tables
from mammoflow.base.exclusions import Excluded
from mammoflow.dicom import headers

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

_PART = re.compile(r"[\w.-]*\w[\w.-]*")
CALCIFICATION = "Calc-"

# Case and series, which the tables and the headers both have.
Key = tuple[str, str]


@dataclass(frozen=True)
class Object:
    """An image, a crop or a mask of the release, and what is known of it."""

    path: str
    case: str
    series: str
    instance: str
    shape: tuple[int, int]
    spacing_mm: float | None
    spacing_source: str
    sides: frozenset[str]
    flags: list[str]


Tree = Mapping[Key, list[Object]]


@dataclass(frozen=True)
class Form:
    """How a release stores its objects.

    Parameters
    ----------
    read : function
        (M, N) uint16 grey values of the object at a path below a root.
    mask : function
        (M, N) bool pixels of a mass, from the grey values of its mask; None for what is no mask. Raises
        `Excluded` (``mask-constant``) for a single value.
    """

    read: Callable[[Path, str], np.ndarray]
    mask: Callable[[np.ndarray], np.ndarray | None]


@dataclass(frozen=True)
class Row:
    """A mass as a table has it, and its place: ``table.csv:137``, where the header is row 1."""

    place: str
    split: str
    patient: str
    side: str
    view: str
    abnormality: str
    pathology: str
    image: str
    crop: str
    mask: str

    def case(self) -> str:
        """Case of the image, by the table's words."""
        part = {"train": "Training", "test": "Test"}[self.split]
        return f"Mass-{part}_{self.patient}_{self.side}_{self.view}"

    def cases(self) -> set[str]:
        """Cases of the image by the table's words and by its path; a garbled path names none."""
        return {self.case(), *(key[0] for key in (_key(self.image),) if key)}

    def region(self) -> list[Key]:
        """Series of the crop and of the mask, whichever is which; a garbled path has none."""
        return list(dict.fromkeys(key for path in (self.crop, self.mask) if (key := _key(path))))


@dataclass
class _Case:
    """What was found for one image of the tables."""

    image: dict[str, object] | None = None
    lesions: list[dict[str, object]] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    excluded: dict[str, Excluded] = field(default_factory=dict)


def index(root: Path, threads: int) -> Index:
    """Images, masses and exclusions of a CBIS-DDSM release.

    Objects are found by their headers (PatientID, which holds the case, and SeriesInstanceUID),
    never by folder names, which differ between download tools. Which object of a region of
    interest is its mask is decided by content: the tables are wrong for a third of them. An image
    with a mass that cannot be used is left out whole: elsewhere it would pass for complete.

    Pixels are read only of what could be a mask, and of objects that give the same identifiers, an
    image for each process at a time.

    Parameters
    ----------
    root : Path
        Folder with the DICOM tree at any depth, and the two mass tables at most two folders below.
        The tables and cases of calcifications may be there too.
    threads : int
        Files read at the same time.

    Raises
    ------
    ValueError
        When a table is missing or there twice, a column is missing, or no DICOM file
        is there or usable as an image.
    """
    files = release.walk(root)
    tables, rows = read_tables(files)
    release.require_some(files, "DICOM files of CBIS-DDSM", partial(release.is_image, files.root))
    tree = without_copies(files, _objects(files, named(rows), threads), FORM, threads)
    return index_of(files, tables, rows, tree, FORM, threads)


def index_of(
    files: Files, tables: Sequence[str], rows: Sequence[Row], tree: Tree, form: Form, threads: int
) -> Index:
    """Index of a release in any form.

    Parameters
    ----------
    files : Files
        Of `release.walk`.
    tables : sequence of str
        Paths of all tables that were used.
    rows : sequence of Row
        Of `read_tables`.
    tree : mapping
        Of `without_copies`.
    form : Form
        How objects are stored.
    threads : int
        Images that are worked on at the same time.
    """
    by_case = defaultdict(list)
    for row in rows:
        for name in row.cases():
            by_case[name].append(row)
    images, lesions, used, excluded = [], [], set(tables), {}
    for case in pool.in_processes(partial(_case, files.root, tree, form), sorted(by_case.items()), threads):
        images.extend([case.image] if case.image else [])
        lesions.extend(case.lesions)
        used |= case.used
        for path, error in case.excluded.items():
            excluded.setdefault(path, error)
    for path in sorted(excluded.keys() - used):  # a bad row may name files of another image
        files.exclude(path, excluded[path])
    known = used | {row["path"] for row in files.excluded}
    for item in (item for items in tree.values() for item in items):
        if item.path not in known:
            files.exclude(item.path, Excluded("not-in-table"))
    return release.make_index(files, images, lesions, PAPER, _counts(images, lesions), len(used))


def read_image(root: Path, path: str) -> np.ndarray:
    """(M, N) uint16 grey values of an image of ``images.csv``; see `grey_values.decode`."""
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
        As `grey_values.decode`, ``mask-missing``, ``mask-constant`` and ``mask-size``.
    """
    return mask_of(FORM, root, source, shape)


def mask_of(form: Form, root: Path, source: str, shape: tuple[int, int]) -> np.ndarray:
    """As `lesion_mask`, in any form."""
    mask = form.mask(form.read(root, source))
    if mask is None:
        raise Excluded("mask-missing", "the object has more than two values")
    return _fit(mask, shape)


def read_tables(files: Files) -> tuple[list[str], list[Row]]:
    """Paths of the mass tables, and their rows."""
    paths, rows = [], []
    for split, name in TABLES.items():
        paths.append(release.table_path(files, [name]))
        table = _read_table(files.root / paths[-1])
        cells = enumerate(table.itertuples(index=False, name=None), start=2)
        rows += [Row(f"{paths[-1]}:{number}", split, *row) for number, row in cells]
    return paths, rows


def _read_table(path: Path) -> pd.DataFrame:
    frame = user_tables.read(path, COLUMNS, "a CBIS-DDSM mass table")
    # Cells end in a newline in every row of every copy; some copies have Windows separators.
    frame = frame[list(COLUMNS)].apply(lambda column: column.str.strip())
    for column in COLUMNS[-3:]:
        frame[column] = frame[column].str.replace("\\", "/", regex=False)
    return frame


def _key(path: str) -> Key | None:
    """Case and series of a table's path ``.../case/study/series/file``; None for any other text."""
    parts = path.split("/")[-4:]
    return (parts[0], parts[2]) if len(parts) == 4 and all(map(_PART.fullmatch, parts)) else None


def named(rows: Iterable[Row]) -> set[Key]:
    """Case and series of every object that rows name."""
    return {key for row in rows for key in (_key(row.image), *row.region())}


def not_named(case: str) -> Excluded:
    """Why an object of a case that no mass table names is left out."""
    return Excluded("calcification-case" if case.startswith(CALCIFICATION) else "not-in-table")


def _objects(files: Files, names: set[Key], threads: int) -> list[Object]:
    """Objects of the series that the tables name; all other objects are excluded."""
    candidates = []
    for path in files.paths:
        if release.is_image(files.root, path):
            candidates.append(path)
        elif PurePosixPath(path).name not in TABLES.values():
            files.plain += 1
    found = []
    headers = pool.in_processes(partial(_read_object, files.root), candidates, threads)
    for path, item in zip(candidates, headers, strict=True):
        if isinstance(item, Object) and (item.case, item.series) not in names:
            item = not_named(item.case)
        if isinstance(item, Excluded):
            files.exclude(path, item)
        else:
            found.append(item)
    return found


def without_copies(files: Files, items: Iterable[Object], form: Form, threads: int) -> Tree:
    """Objects by case and series, each once; copies are excluded."""
    same = defaultdict(list)
    for item in items:
        same[item.case, item.series, item.instance].append(item)
    alike = [items for items in same.values() if len(items) > 1]
    for excluded in pool.in_processes(partial(_copies, files.root, form), alike, threads):
        for item, error in excluded:
            files.exclude(item.path, error)
            same[item.case, item.series, item.instance].remove(item)
    tree = defaultdict(list)
    for (case, series, _), items in same.items():
        tree[case, series].extend(items)
    return {key: items for key, items in tree.items() if items}


def _read_object(root: Path, path: str) -> Object | Excluded:
    try:
        header = headers.read_header(root / path)
        if reason := headers.gate(header):
            return Excluded(reason)
        case, series, instance = (
            str(headers.value(header, name, ""))
            for name in ("PatientID", "SeriesInstanceUID", "SOPInstanceUID")
        )
        spacing_mm, source, flags = headers.spacing(header)
        shape = (header.Rows, header.Columns)
        flags = headers.flags(header) + flags
        sides = headers.sides(header)
        return Object(path, case, series, instance, shape, spacing_mm, source, sides, flags)
    except Excluded as error:
        return error


def _copies(root: Path, form: Form, items: list[Object]) -> list[tuple[Object, Excluded]]:
    """Which objects of the same identifiers, or of none, repeat another's pixels or have none.

    Others stay: whether one of them is what it says it is will be seen where it is used.
    """
    excluded, digests = [], set()
    for item in items:
        try:
            pixels = form.read(root, item.path)
        except Excluded as error:
            excluded.append((item, error))
            continue
        digest = pixels.shape, hashlib.sha256(np.ascontiguousarray(pixels)).digest()
        if digest in digests:
            excluded.append((item, Excluded("duplicate")))
        digests.add(digest)
    return excluded


def _case(root: Path, tree: Tree, form: Form, case_and_rows: tuple[str, list[Row]]) -> _Case:
    """One image with its masses, from its case and its rows of the tables."""
    name, rows = case_and_rows
    try:
        laterality, view = _side_and_view(rows, name)
        full = _full_image(rows, tree)
        rows, repeats = _without_repeats(rows, tree)
    except Excluded as error:
        return _Case(excluded=_left_out(rows, tree, error, {}))
    case = _Case(used={full.path}, excluded=repeats)
    flags, failures = full.flags + release.side_flags(laterality, full.sides), {}
    for row in rows:
        try:
            lesion, resized = _lesion(root, tree, form, row, full)
        except Excluded as error:
            failures[row.place] = error
            continue
        flags += ["mask-resized"] if resized else []
        case.lesions.append(lesion)
        case.used |= {item.path for item in _found(tree, row.region())}
    if failures:
        error = release.lesion_excluded(len(failures), len(rows))
        return _Case(excluded=_left_out(rows, tree, error, failures) | repeats)
    case.image = {
        "image_id": full.case,
        "patient_id": rows[0].patient,
        "laterality": laterality,
        "view": view,
        "official_split": rows[0].split,
        "path": full.path,
        "rows": full.shape[0],
        "columns": full.shape[1],
        "spacing_mm": full.spacing_mm,
        "spacing_source": full.spacing_source,
        "flags": ";".join(dict.fromkeys(flags)),
    }
    return case


def _found(tree: Tree, keys: Iterable[Key]) -> list[Object]:
    """Objects of some series."""
    return [item for key in keys for item in tree.get(key, [])]


def _full_image(rows: Sequence[Row], tree: Tree) -> Object:
    """Full image of a case: the largest object of the series that all its rows name.

    Raises
    ------
    Excluded
        ``missing-file`` or ``image-ambiguous``.
    """
    keys = {_key(row.image) for row in rows}
    if len(keys) > 1:
        raise Excluded("image-ambiguous", f"the tables name {len(keys)} series for one image")
    found = sorted(_found(tree, keys), key=lambda item: item.shape[0] * item.shape[1])
    if not found:
        raise Excluded("missing-file")
    if len(found) > 1 and found[-2].shape == found[-1].shape:
        raise Excluded("image-ambiguous", "two different objects of the series have the same size")
    return found[-1]


def _side_and_view(rows: Sequence[Row], case: str) -> tuple[str, str]:
    """Side and view of an image, once all its rows say and name the same case.

    Raises
    ------
    Excluded
        ``bad-row``.
    """
    if any(row.case() != case for row in rows):
        raise Excluded("bad-row", "a row says another patient, side, view or split than its path")
    if any((_key(row.image) or ("",))[0] != case for row in rows):
        raise Excluded("bad-row", "expected a path case/study/series/file of the image")
    if not rows[0].patient:
        raise Excluded("bad-row", "expected a patient")
    side, view = rows[0].side, rows[0].view
    if side not in ("LEFT", "RIGHT") or view not in ("CC", "MLO"):
        raise Excluded("bad-row", "expected LEFT or RIGHT and CC or MLO")
    return side[0], view


def _without_repeats(rows: Sequence[Row], tree: Tree) -> tuple[list[Row], dict[str, Excluded]]:
    """Rows of an image, and the places of those that say again what a row before them says.

    Raises
    ------
    Excluded
        ``bad-row`` when two rows of one abnormality differ: there could be two masses.
    """
    first, repeats = {}, {}
    for row in rows:
        said = row.pathology, [item.path for item in _found(tree, row.region())]
        if first.setdefault(row.abnormality, (row, said))[1] != said:
            raise Excluded("bad-row", "two rows of one abnormality differ")
        if first[row.abnormality][0] is not row:
            repeats[row.place] = Excluded("duplicate", "a row of the table that is there a second time")
    return [row for row, _ in first.values()], repeats


def _lesion(root: Path, tree: Tree, form: Form, row: Row, full: Object) -> tuple[dict[str, object], bool]:
    """Row of ``lesions.csv`` for a mass, and whether its mask had to be resized.

    Raises
    ------
    Excluded
        When no mask, or no single mask, is found, or it does not fit.
    """
    lesion_id = f"{full.case}_{row.abnormality}"
    if not row.abnormality.isdecimal() or {case for case, _ in row.region()} != {lesion_id}:
        raise Excluded("bad-row", "expected paths case_abnormality/study/series/file of the region")
    source, mask = _find_mask(root, tree, form, row, full.shape)
    lesion = release.lesion_row(
        image_id=full.case,
        lesion_id=lesion_id,
        mask=_fit(mask, full.shape),
        spacing_mm=full.spacing_mm,
        pathology=row.pathology,
        source=source,
    )
    return lesion, mask.shape != full.shape


def _left_out(
    rows: Sequence[Row], tree: Tree, error: Excluded, failures: Mapping[str, Excluded]
) -> dict[str, Excluded]:
    """Why each file of an image that is left out is, its masses that did not fail for its sake.

    What is not there is listed by its path in the table, and by its row where that is no good path.
    """
    excluded = {}

    def add(row: Row, paths: Sequence[str], error: Excluded) -> None:
        for key, path in {_key(path): path for path in paths}.items():
            if key in tree:
                known = Excluded("image-excluded") if error.reason == "missing-file" else error
                for item in tree[key]:
                    excluded.setdefault(item.path, known)
            elif key is None or error.reason == "bad-row":
                excluded.setdefault(row.place, error)
            else:
                excluded.setdefault(path, Excluded("missing-file"))

    for row in rows:
        add(row, [row.image], error)
    for row in rows:
        add(row, [row.crop, row.mask], failures.get(row.place, Excluded("image-excluded")))
    return excluded


def _find_mask(
    root: Path, tree: Tree, form: Form, row: Row, shape: tuple[int, int]
) -> tuple[str, np.ndarray]:
    """Path and pixels of the one object of a region that has two values and nearly the image's size."""
    found = None
    for item in _found(tree, row.region()):
        if not all(MASK_SCALES[0] <= a / b <= MASK_SCALES[1] for a, b in zip(item.shape, shape, strict=True)):
            continue
        mask = form.mask(form.read(root, item.path))
        if mask is None:
            continue
        if found:
            raise Excluded("mask-ambiguous")
        found = item.path, mask
    if not found:
        raise Excluded("mask-missing" if all(key in tree for key in row.region()) else "missing-file")
    return found


def _brighter(pixels: np.ndarray) -> np.ndarray | None:
    """Pixels with the larger of two values; None where there are more.

    Raises
    ------
    Excluded
        ``mask-constant`` where there is one.
    """
    low, high = pixels.min(), pixels.max()
    if low == high:
        raise Excluded("mask-constant")
    mask = pixels == high
    others = pixels.size - np.count_nonzero(mask)
    return mask if np.count_nonzero(pixels == low) == others else None


FORM = Form(release.read_dicom, _brighter)


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
