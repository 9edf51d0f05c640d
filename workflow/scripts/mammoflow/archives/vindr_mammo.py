"""Reads VinDr-Mammo: full-field digital mammograms with boxes drawn by radiologists.

References
----------
.. [1] Nguyen et al., "VinDr-Mammo: a large-scale benchmark dataset for computer-aided diagnosis in
   full-field digital mammography", Scientific Data 10:277 (2023), doi:10.13026/br2v-7517.
"""

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import ceil, floor
from pathlib import Path, PurePosixPath

import numpy as np

from mammoflow.archives import release
from mammoflow.archives.marks import VINDR_MAMMO_TABLES
from mammoflow.archives.release import Files, Index
from mammoflow.base import pool
from mammoflow.base.exclusions import Excluded
from mammoflow.dicom import headers

MASS, NO_FINDING = "Mass", "No Finding"
OTHER_FINDINGS = (
    "Architectural Distortion",
    "Asymmetry",
    "Focal Asymmetry",
    "Global Asymmetry",
    "Nipple Retraction",
    "Skin Retraction",
    "Skin Thickening",
    "Suspicious Calcification",
    "Suspicious Lymph Node",
)
CATEGORIES = {MASS, NO_FINDING, *OTHER_FINDINGS}
SPLITS = {"training": "train", "test": "test"}
# Columns that both tables have.
OF_IMAGE = (
    "image_id",
    "study_id",
    "laterality",
    "view_position",
    "height",
    "width",
    "breast_birads",
    "split",
)
BOX = ("xmin", "ymin", "xmax", "ymax")
COLUMNS = {"images": OF_IMAGE, "findings": (*OF_IMAGE, "finding_categories", "finding_birads", *BOX)}
# Counted in the published tables.
PUBLISHED = {
    "studies": 5000,
    "training studies": 4000,
    "test studies": 1000,
    "studies with masses": 584,
    "images": 20_000,
    "training images": 16_000,
    "test images": 4000,
    "images with masses": 1113,
    "training images with masses": 894,
    "test images with masses": 219,
    "images without findings": 18_232,
    "images without findings in breasts of BI-RADS 3 to 5": 162,
    "images with other findings only": 655,
    "masses": 1226,
    "training masses": 989,
    "test masses": 237,
    "findings": 2254,
    "findings of several categories": 174,
    "findings: Architectural Distortion": 119,
    "findings: Asymmetry": 97,
    "findings: Focal Asymmetry": 269,
    "findings: Global Asymmetry": 26,
    "findings: Mass": 1226,
    "findings: Nipple Retraction": 37,
    "findings: Skin Retraction": 18,
    "findings: Skin Thickening": 57,
    "findings: Suspicious Calcification": 543,
    "findings: Suspicious Lymph Node": 57,
}

# The longest list of the release has less than a hundred characters.
MAX_LIST = 1000

_ID = re.compile(r"[0-9a-f]{32}")
_NAME = re.compile(r"(?P<id>[0-9a-f]{32})(?i:\.dicom|\.dcm)")
_BIRADS = re.compile(r"BI-RADS [0-6]")
_SUSPICIOUS = ("BI-RADS 3", "BI-RADS 4", "BI-RADS 5")
_SIZE = re.compile(r"[0-9]{1,6}")
_NUMBER = re.compile(r"-?[0-9]{1,7}(?:\.[0-9]{0,20})?")


@dataclass(frozen=True)
class _Row:
    """A row of a table, and its place: ``finding_annotations.csv:137``, where the header is row 1."""

    place: str
    cells: tuple[str, ...]

    @property
    def image_id(self) -> str:
        return self.cells[0]

    @property
    def of_image(self) -> tuple[str, ...]:
        """What both tables say about the image."""
        return self.cells[: len(OF_IMAGE)]

    @property
    def categories(self) -> str:
        """Categories of a finding, as they are written."""
        return self.cells[len(OF_IMAGE)]

    @property
    def birads(self) -> str:
        """BI-RADS of a finding; empty where it is not known."""
        text = self.cells[len(OF_IMAGE) + 1]
        return text if _BIRADS.fullmatch(text) else ""

    @property
    def box(self) -> list[str]:
        """Box of a finding as it is written, but with decimal points; some programs write commas."""
        return [text.replace(",", ".") for text in self.cells[-len(BOX) :]]


@dataclass
class _Image:
    """What was found for one image: excluded where `row` is None.

    `findings` are the categories of each of its rows, if they are known; `split` is one of `SPLITS`.
    """

    row: dict[str, object] | None = None
    lesions: list[dict[str, object]] = field(default_factory=list)
    excluded: dict[str, Excluded] = field(default_factory=dict)
    study: str = ""
    split: str = ""
    findings: list[list[str]] = field(default_factory=list)
    suspicious: bool = False

    @property
    def has_masses(self) -> bool:
        return any(MASS in categories for categories in self.findings)

    @property
    def is_normal(self) -> bool:
        return self.findings == [[NO_FINDING]]


@dataclass(frozen=True)
class _Release:
    """Files, and rows of both tables, by image: one each, unless there are copies or contradictions."""

    root: Path
    paths: dict[str, list[str]]
    images: dict[str, list[_Row]]
    findings: dict[str, list[_Row]]


def index(root: Path, threads: int) -> Index:
    """Images, masses and exclusions of a VinDr-Mammo release.

    A mass is a row of ``finding_annotations.csv`` whose categories name it. An image that has
    findings, none of them a mass, is neither positive nor normal, and left out
    (``other-findings``). So is an image with a mass that cannot be used, or whose tables disagree
    with each other or with its file: elsewhere it would pass for complete. Rows of findings of an
    image that is left out are listed with it.

    A study stands for a patient, because the release does not tell patients. Boxes that leave the
    image are clipped. Each box is a lesion, also where two overlap.

    Parameters
    ----------
    root : Path
        Folder with the DICOM files, named by their image, at any depth, and
        ``breast-level_annotations.csv`` and ``finding_annotations.csv`` at most two folders below.
        ``metadata.csv`` is not read: it repeats the headers.
    threads : int
        Files read at the same time.

    Raises
    ------
    ValueError
        When a table is missing or there twice, a column is missing, the tables have no row of any
        image, or no image is usable.
    """
    files = release.walk(root)
    tables = {kind: release.table_path(files, [name]) for kind, name in VINDR_MAMMO_TABLES.items()}
    rows = {kind: _rows(files, path, COLUMNS[kind]) for kind, path in tables.items()}
    release.require_some(files, "DICOM files of VinDr-Mammo", partial(release.is_image, files.root))
    source = _Release(files.root, _image_paths(files, tables.values()), rows["images"], rows["findings"])
    if source.paths and not source.paths.keys() & source.images.keys():
        raise ValueError(
            f"{files.root / tables['images']}: expected the rows of the {len(source.paths)} images under "
            f"{files.root}, found rows of {len(source.images)} others"
        )
    images = list(pool.in_processes(partial(_image, source), source.paths, threads))
    _exclude_rows_without_file(files, source)
    for path, error in (entry for image in images for entry in image.excluded.items()):
        files.exclude(path, error)
    usable = [image.row for image in images if image.row]
    lesions = [lesion for image in images for lesion in image.lesions]
    used = len(tables) + len(usable)
    return release.make_index(files, usable, lesions, PUBLISHED, _counts(images), used)


def read_image(root: Path, path: str) -> np.ndarray:
    """(M, N) uint16 grey values of an image of ``images.csv``; see `grey_values.decode`."""
    return release.read_dicom(root, path)


def lesion_mask(root: Path, source: str, shape: tuple[int, int]) -> np.ndarray:
    """Pixels of a mass: all that its box touches.

    Parameters
    ----------
    root : Path
        Not used: the box says it all.
    source : str
        Of ``lesions.csv``: ``box:xmin,ymin,xmax,ymax`` as in the table, in pixels from the outer
        corner of the first one.
    shape : tuple of int
        Rows and columns of the image.

    Returns
    -------
    (M, N) bool ndarray

    Raises
    ------
    Excluded
        ``contour-outside``.
    """
    x0, y0, x1, y1 = map(float, source.removeprefix("box:").split(","))
    (top, bottom), (left, right) = (
        np.clip([floor(low), ceil(high)], 0, size)
        for low, high, size in zip((y0, x0), (y1, x1), shape, strict=True)
    )
    mask = np.zeros(shape, dtype=bool)
    mask[top:bottom, left:right] = True
    if not mask.any():
        raise Excluded("contour-outside", "a box without a pixel inside the image")
    return mask


def _rows(files: Files, path: str, columns: Sequence[str]) -> dict[str, list[_Row]]:
    """Rows of a table by image."""
    rows = defaultdict(list)
    for place, cells in release.table_rows(files, path, columns, "a VinDr-Mammo table"):
        row = _Row(place, cells)
        rows[row.image_id].append(row)
    return dict(rows)


def _image_paths(files: Files, tables: Collection[str]) -> dict[str, list[str]]:
    """Files that are named as the release names its images, by image; other DICOM files are excluded."""
    paths = defaultdict(list)
    for path in files.paths:
        if match := _NAME.fullmatch(PurePosixPath(path).name):
            paths[match["id"]].append(path)
        elif release.is_image(files.root, path):
            files.exclude(path, Excluded("name"))
        elif path not in tables:
            files.plain += 1
    return dict(paths)


def _exclude_rows_without_file(files: Files, source: _Release) -> None:
    """Exclude the rows of images that are not under the root."""
    for image_id in sorted(source.images.keys() - source.paths.keys()):
        for row in source.images[image_id]:
            files.exclude(row.place, Excluded("missing-file", "the image of the row is not under the root"))
        for row in _with_findings(source.findings.get(image_id, [])):
            files.exclude(row.place, Excluded("image-excluded"))
    for image_id in sorted(source.findings.keys() - source.paths.keys() - source.images.keys()):
        for row in source.findings[image_id]:
            files.exclude(row.place, Excluded("missing-image"))


def _with_findings(rows: Sequence[_Row]) -> list[_Row]:
    """Rows that give a finding, or that cannot be understood."""
    return [row for row in rows if row.categories != f"['{NO_FINDING}']"]


def _image(source: _Release, image_id: str) -> _Image:
    """One image with its masses, from its file and its rows of the tables."""
    image, paths, rows = _Image(), source.paths[image_id], source.findings.get(image_id, [])
    failures = {}
    try:
        release.require_copies(source.root, paths)
        said = _said(source, image_id, paths)
        image.study, image.split = said["study_id"], said["split"]
        image.suspicious = said["breast_birads"] in _SUSPICIOUS
        image.findings = _findings(rows, failures)
        if not image.has_masses and not image.is_normal:
            raise Excluded("other-findings")
        header = headers.read_header(release.inside(source.root, paths[0]))
        if reason := headers.gate(header):
            raise Excluded(reason)
        shape = _shape(header, said)
        spacing_mm, spacing_source, flags = headers.spacing(header)
        flags += headers.flags(header) + release.side_flags(said["laterality"], headers.sides(header))
        masses = [row for row, categories in zip(rows, image.findings, strict=True) if MASS in categories]
        image.lesions = _lesions(image_id, masses, shape, spacing_mm, failures)
    except Excluded as error:
        left_out = {row.place: Excluded("image-excluded") for row in _with_findings(rows)}
        image.excluded = dict.fromkeys(paths, error) | left_out | failures
        return image
    image.excluded = dict.fromkeys(paths[1:], Excluded("duplicate"))
    flags += ["box-clipped"] if any(_leaves(row.box, shape) for row in masses) else []
    flags += ["suspicious-breast"] if image.is_normal and image.suspicious else []
    image.row = {
        "image_id": image_id,
        "patient_id": image.study,
        "laterality": said["laterality"],
        "view": said["view_position"],
        "official_split": SPLITS[image.split],
        "path": paths[0],
        "rows": shape[0],
        "columns": shape[1],
        "spacing_mm": spacing_mm,
        "spacing_source": spacing_source,
        "flags": ";".join(dict.fromkeys(flags)),
    }
    return image


def _said(source: _Release, image_id: str, paths: Sequence[str]) -> dict[str, str]:
    """What the tables say about an image, by column, once all its rows agree and are understood.

    Raises
    ------
    Excluded
        ``not-in-table`` or ``bad-row``.
    """
    for kind, rows in (("images", source.images), ("findings", source.findings)):
        if image_id not in rows:
            raise Excluded("not-in-table", f"{VINDR_MAMMO_TABLES[kind]} has no row of the image")
    rows = source.images[image_id] + source.findings[image_id]
    if len({row.of_image for row in rows}) > 1:
        raise Excluded("bad-row", "two rows of the image differ in what they say about it")
    said = dict(zip(OF_IMAGE, rows[0].of_image, strict=True))
    if said["laterality"] not in ("L", "R") or said["view_position"] not in ("CC", "MLO"):
        raise Excluded("bad-row", "expected L or R and CC or MLO")
    if said["split"] not in SPLITS or not _ID.fullmatch(said["study_id"]):
        raise Excluded("bad-row", "expected a study of 32 hexadecimal digits, and training or test")
    if not _SIZE.fullmatch(said["height"]) or not _SIZE.fullmatch(said["width"]):
        raise Excluded("bad-row", "expected a height and a width in pixels")
    folder = PurePosixPath(paths[0]).parent.name
    if _ID.fullmatch(folder) and folder != said["study_id"]:
        raise Excluded("bad-row", "the table gives another study than the file's folder")
    return said


def _shape(header: headers.Dataset, said: Mapping[str, str]) -> tuple[int, int]:
    """Rows and columns of an image, of which its boxes are in pixels.

    Raises
    ------
    Excluded
        ``image-size`` when the table gives others, as in copies with smaller pictures.
    """
    shape, in_table = (header.Rows, header.Columns), (int(said["height"]), int(said["width"]))
    if shape != in_table:
        raise Excluded("image-size", f"{in_table} pixels in the table, {shape} in the file")
    return shape


def _findings(rows: Sequence[_Row], failures: dict[str, Excluded]) -> list[list[str]]:
    """Categories of each row of an image; rows that are not understood are added to the failures.

    Raises
    ------
    Excluded
        ``bad-row``.
    """
    findings = []
    for row in rows:
        try:
            findings.append(_categories(row.categories))
            if findings[-1] == [NO_FINDING] and any(row.box):
                raise Excluded("bad-row", "a box of no finding")
        except Excluded as error:
            failures[row.place] = error
    if failures:
        raise Excluded("bad-row", "a row of findings of the image is not understood")
    if len(rows) > 1 and [NO_FINDING] in findings:
        raise Excluded("bad-row", "a row of the image gives a finding and another gives none")
    return findings


def _categories(text: str) -> list[str]:
    """Categories of a finding, which the table has as the text of a list in Python.

    Raises
    ------
    Excluded
        ``bad-row``. The text is never evaluated, and not repeated.
    """
    try:
        # No category has a backslash, of which some make Python print the text in a warning.
        listed = ast.literal_eval(text) if len(text) <= MAX_LIST and "\\" not in text else None
    except (MemoryError, RecursionError, SyntaxError, TypeError, ValueError):
        listed = None
    if not isinstance(listed, list) or not all(isinstance(item, str) for item in listed):
        raise Excluded("bad-row", "expected finding_categories as the text of a list of texts")
    if not listed or not CATEGORIES.issuperset(listed):
        raise Excluded("bad-row", "expected finding_categories of the release")
    if NO_FINDING in listed and len(listed) > 1:
        raise Excluded("bad-row", "a finding and no finding in one row")
    return listed


def _lesions(
    image_id: str,
    rows: Sequence[_Row],
    shape: tuple[int, int],
    spacing_mm: float | None,
    failures: dict[str, Excluded],
) -> list[dict[str, object]]:
    """Rows of ``lesions.csv`` for the masses of an image; those that cannot be used become failures.

    Raises
    ------
    Excluded
        ``lesion-excluded``.
    """
    lesions = []
    for number, row in enumerate(rows, start=1):
        try:
            _require_box(row.box)
            source = f"box:{','.join(row.box)}"
            mask = lesion_mask(Path(), source, shape)
        except Excluded as error:
            failures[row.place] = error
            continue
        lesion_id = f"{image_id}_{number}"
        lesions.append(release.lesion_row(image_id, lesion_id, mask, spacing_mm, row.birads, source))
    if failures:
        raise release.lesion_excluded(len(failures), len(rows))
    return lesions


def _require_box(box: Sequence[str]) -> None:
    """Raise unless four numbers span a box.

    Raises
    ------
    Excluded
        ``lesion-without-coordinates`` or ``bad-row``.
    """
    if not any(box):
        raise Excluded("lesion-without-coordinates")
    if not all(map(_NUMBER.fullmatch, box)):
        raise Excluded("bad-row", "expected xmin, ymin, xmax and ymax in pixels")
    x0, y0, x1, y1 = map(float, box)
    if x0 >= x1 or y0 >= y1:
        raise Excluded("bad-row", "expected xmin below xmax and ymin below ymax")


def _leaves(box: Sequence[str], shape: tuple[int, int]) -> bool:
    """Whether a box goes beyond the image."""
    x0, y0, x1, y1 = map(float, box)
    return x0 < 0 or y0 < 0 or x1 > shape[1] or y1 > shape[0]


def _counts(images: Sequence[_Image]) -> dict[str, int]:
    """Quantities of the reconciliation: images with other findings only count, although they are not used."""
    others = [image for image in images if image.findings and not image.has_masses and not image.is_normal]
    known = [image for image in images if image.row] + others
    with_masses = [image for image in known if image.has_masses]
    normal = [image for image in known if image.is_normal]
    rows = [categories for image in known for categories in image.findings if categories != [NO_FINDING]]
    categories = Counter(category for row in rows for category in set(row))
    lesions = {split: sum(len(image.lesions) for image in known if image.split == split) for split in SPLITS}

    def in_split(chosen: Sequence[_Image], what: str) -> dict[str, int]:
        return {f"{split} {what}": sum(image.split == split for image in chosen) for split in SPLITS}

    return {
        "studies": len({image.study for image in known}),
        **{
            f"{split} studies": len({image.study for image in known if image.split == split})
            for split in SPLITS
        },
        "studies with masses": len({image.study for image in with_masses}),
        "images": len(known),
        **in_split(known, "images"),
        "images with masses": len(with_masses),
        **in_split(with_masses, "images with masses"),
        "images without findings": len(normal),
        "images without findings in breasts of BI-RADS 3 to 5": sum(image.suspicious for image in normal),
        "images with other findings only": len(others),
        "masses": sum(lesions.values()),
        **{f"{split} masses": count for split, count in lesions.items()},
        "findings": len(rows),
        "findings of several categories": sum(len(set(row)) > 1 for row in rows),
        **{f"findings: {category}": categories[category] for category in sorted({MASS, *OTHER_FINDINGS})},
    }
