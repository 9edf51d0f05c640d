"""Reads CDD-CESM: low-energy images of contrast-enhanced mammography as JPEG files, with outlined findings.

Written from descriptions of the release; not tried on a real copy.

References
----------
.. [1] Khaled et al., "Categorized contrast enhanced mammography dataset for diagnostic and artificial
   intelligence research", Scientific Data 9:122 (2022), doi:10.7937/29kw-ae92.
"""

import json
import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from skimage.draw import ellipse, polygon

from mammoflow.archives import picture_files, release
from mammoflow.archives.marks import CDD_CESM_TABLES
from mammoflow.archives.release import Files, Index
from mammoflow.base import pool
from mammoflow.base.exclusions import Excluded

COLUMNS = {
    "findings": ("Image_name", "Findings", "Pathology Classification/ Follow up"),
    # As the VGG Image Annotator writes them.
    "outlines": ("#filename", "region_shape_attributes"),
}
MASS, NORMAL = "mass", "normal"
PATHOLOGY = {"benign": "BENIGN", "malignant": "MALIGNANT"}
PUBLISHED = {"patients": 326, "low-energy images": 1003, "subtracted images": 1003}

# Of an outline as JSON, and of its points.
MAX_TEXT, MAX_POINTS = 200_000, 10_000

_NAME = re.compile(r"(?P<patient>P[0-9]{1,5})_(?P<side>[LR])_(?P<kind>DM|CM)_(?P<view>CC|MLO)[0-9]?")
_SEPARATORS = re.compile(r"[$,;&/+]")
# Names of the numbers of each shape that spans an area.
_ROUND = {"circle": ("cx", "cy", "r", "r"), "ellipse": ("cx", "cy", "rx", "ry")}
_POINTS = ("polygon", "polyline")
# What the VGG Image Annotator writes as the shape of an image without regions.
_NO_SHAPE = "{}"


@dataclass(frozen=True)
class _Row:
    """A row of a table and its place, where the header is row 1."""

    place: str
    cells: tuple[str, ...]


@dataclass
class _Image:
    """What was found for one image: excluded where `row` is None."""

    row: dict[str, object] | None = None
    lesions: list[dict[str, object]] = field(default_factory=list)
    excluded: dict[str, Excluded] = field(default_factory=dict)


@dataclass(frozen=True)
class _Release:
    """Files of low-energy images, and rows of both tables, by image."""

    root: Path
    paths: dict[str, list[str]]
    findings: dict[str, list[_Row]]
    outlines: dict[str, list[_Row]]


def index(root: Path, threads: int) -> Index:
    """Images, masses and exclusions of a CDD-CESM release.

    Subtracted images are excluded: they show the contrast agent. The table of findings gives those of
    an image, and the outlines do not say which finding they are of. So an image whose findings are
    all masses has its outlines as masses; one with findings of which none is a mass is left out
    (``other-findings``), and so is one with a mass and another finding (``lesion-ambiguous``).

    Parameters
    ----------
    root : Path
        Folder with the pictures at any depth, and ``Radiology_hand_drawn_segmentations_v2.csv`` and
        ``Radiology-manual-annotations.csv``, the sheet ``all`` of the workbook of that name saved as
        CSV, at most two folders below.
    threads : int
        Files read at the same time.

    Raises
    ------
    ValueError
        When a table is missing or there twice, a column is missing, or no image is usable.
    """
    files = release.walk(root)
    tables = {kind: release.table_path(files, names) for kind, names in CDD_CESM_TABLES.items()}
    rows = {kind: _rows(files, path, COLUMNS[kind]) for kind, path in tables.items()}
    release.require_some(files, "JPEG files of CDD-CESM", picture_files.is_jpeg)
    paths = _image_paths(files, tables)
    kinds = {kind: [name for name in paths if _NAME.fullmatch(name)["kind"] == kind] for kind in ("DM", "CM")}
    for path in (path for name in kinds["CM"] for path in paths[name]):
        files.exclude(path, Excluded("subtracted-image"))
    source = _Release(
        files.root, {name: paths[name] for name in kinds["DM"]}, rows["findings"], rows["outlines"]
    )
    images = list(pool.in_processes(partial(_image, source), source.paths, threads))
    for path, error in (entry for image in images for entry in image.excluded.items()):
        files.exclude(path, error)
    _exclude_rows_without_image(files, source)
    usable = [image.row for image in images if image.row]
    lesions = [lesion for image in images for lesion in image.lesions]
    with_masses = {lesion["image_id"] for lesion in lesions}
    found = {
        "patients": len({_NAME.fullmatch(name)["patient"] for name in paths}),
        "low-energy images": len(kinds["DM"]),
        "subtracted images": len(kinds["CM"]),
        "images with masses": len(with_masses),
        "images without findings": len(usable) - len(with_masses),
        "masses": len(lesions),
    }
    return release.make_index(files, usable, lesions, PUBLISHED, found, len(tables) + len(usable))


def read_image(root: Path, path: str) -> np.ndarray:
    """(M, N) uint16 grey values of an image of ``images.csv``, from 0 to 255; see `picture_files.read`."""
    return picture_files.read(release.inside(root, path))


def lesion_mask(root: Path, source: str, shape: tuple[int, int]) -> np.ndarray:
    """Pixels of a mass: inside its outline.

    Parameters
    ----------
    root : Path
        Not used: the outline says it all.
    source : str
        Of ``lesions.csv``: ``outline:`` and the shape as JSON, x before y, pixel centres at integers.
    shape : tuple of int
        Rows and columns of the image.

    Returns
    -------
    (M, N) bool ndarray

    Raises
    ------
    Excluded
        ``bad-row`` for what is no shape, ``contour-points`` for a shape without an area, such as a
        point, or ``contour-outside``.
    """
    outline = _outline(source.removeprefix("outline:"))
    mask = np.zeros(shape, dtype=bool)
    if outline["name"] in _ROUND:
        x, y, rx, ry = outline["numbers"]
        mask[ellipse(y, x, ry + 0.5, rx + 0.5, shape=shape, rotation=-outline["angle"])] = True
    else:
        mask[polygon(outline["y"], outline["x"], shape)] = True
    if not mask.any():
        raise Excluded("contour-outside")
    return mask


def _name(text: str) -> str:
    """Image that a file name means; some have a blank before the suffix, some have no suffix."""
    return re.sub(r"\s*(?i:\.jpe?g)?$", "", text.strip().replace("\\", "/").rpartition("/")[2])


def _rows(files: Files, path: str, columns: Sequence[str]) -> dict[str, list[_Row]]:
    """Rows of a table by image, without those that say that an image has no outline."""
    rows = defaultdict(list)
    for place, cells in release.table_rows(files, path, columns, "a CDD-CESM table"):
        if cells[1].strip() != _NO_SHAPE:
            rows[_name(cells[0])].append(_Row(place, cells))
    return dict(rows)


def _image_paths(files: Files, tables: Mapping[str, str]) -> dict[str, list[str]]:
    """Pictures that are named as the release names its images, by name; others are excluded."""
    paths = defaultdict(list)
    for path in files.paths:
        name = _name(path)
        if not picture_files.is_jpeg(path):
            files.plain += path not in tables.values()
        elif _NAME.fullmatch(name):
            paths[name].append(path)
        else:
            files.exclude(path, Excluded("name"))
    return dict(paths)


def _exclude_rows_without_image(files: Files, source: _Release) -> None:
    """Exclude the rows of images that are not under the root, and outlines in subtracted images."""
    for rows_of, reason in ((source.findings, "missing-file"), (source.outlines, "missing-image")):
        for name in rows_of.keys() - source.paths.keys():
            error = _without_image(name, reason)
            for row in rows_of[name] if error else []:
                files.exclude(row.place, error)


def _without_image(name: str, reason: str) -> Excluded | None:
    """Why a row of an image that is not used as one is left out; None for a finding in a subtracted image."""
    match = _NAME.fullmatch(name)
    if match is None:
        return Excluded("bad-row", "expected the name of an image")
    if match["kind"] == "DM":
        return Excluded(reason, "the image of the row is not under the root")
    return Excluded("image-excluded") if reason == "missing-image" else None


def _image(source: _Release, name: str) -> _Image:
    """One low-energy image with its masses."""
    image, paths = _Image(), source.paths[name]
    outlines, failures = source.outlines.get(name, []), {}
    try:
        release.require_copies(source.root, paths)
        pathology = _pathology(source.findings.get(name, []), outlines)
        shape = picture_files.shape(release.inside(source.root, paths[0]))
        image.lesions = _lesions(name, outlines, shape, pathology, failures)
    except Excluded as error:
        left_out = {row.place: Excluded("image-excluded") for row in outlines}
        image.lesions, image.excluded = [], dict.fromkeys(paths, error) | left_out | failures
        return image
    match = _NAME.fullmatch(name)
    image.excluded = dict.fromkeys(paths[1:], Excluded("duplicate"))
    image.row = {
        "image_id": name,
        "patient_id": match["patient"],
        "laterality": match["side"],
        "view": match["view"],
        "official_split": "",
        "path": paths[0],
        "rows": shape[0],
        "columns": shape[1],
        "spacing_mm": None,
        "spacing_source": "",
        "flags": "",
    }
    return image


def _pathology(findings: Sequence[_Row], outlines: Sequence[_Row]) -> str:
    """Pathology of the masses of an image; empty for an image without finding.

    Raises
    ------
    Excluded
        ``not-in-table``, ``bad-row``, ``other-findings``, ``lesion-ambiguous``, or
        ``lesion-without-coordinates``.
    """
    if not findings:
        raise Excluded("not-in-table", "the table of findings has no row of the image")
    listed = {word.strip().lower() for row in findings for word in _SEPARATORS.split(row.cells[1])} - {
        "",
        "_",
    }
    pathologies = {row.cells[2].lower() for row in findings}
    if not listed:
        raise Excluded("bad-row", "expected findings of the image")
    if listed == {NORMAL}:
        if outlines:
            raise Excluded("bad-row", "outlines of findings in an image without a finding")
        return ""
    if MASS not in listed:
        raise Excluded("other-findings")
    if listed != {MASS}:
        raise Excluded("lesion-ambiguous")
    if not outlines:
        raise Excluded("lesion-without-coordinates")
    return PATHOLOGY.get(pathologies.pop(), "") if len(pathologies) == 1 else ""


def _lesions(
    name: str,
    outlines: Sequence[_Row],
    shape: tuple[int, int],
    pathology: str,
    failures: dict[str, Excluded],
) -> list[dict[str, object]]:
    """Rows of ``lesions.csv`` for the outlines of an image; those that cannot be used become failures.

    Raises
    ------
    Excluded
        ``lesion-excluded``.
    """
    lesions = []
    for number, row in enumerate(outlines, start=1):
        source = f"outline:{row.cells[1]}"
        try:
            mask = lesion_mask(Path(), source, shape)
        except Excluded as error:
            failures[row.place] = error
            continue
        lesions.append(release.lesion_row(name, f"{name}_{number}", mask, None, pathology, source))
    if failures:
        raise release.lesion_excluded(len(failures), len(outlines))
    return lesions


def _outline(text: str) -> dict[str, object]:
    """Shape of an outline that spans an area: ``name``, and ``x`` and ``y``, or ``numbers`` and ``angle``.

    A polyline is closed.

    Raises
    ------
    Excluded
        ``bad-row`` or ``contour-points``.
    """
    try:
        shape = json.loads(text) if len(text) <= MAX_TEXT else None
        name = shape["name"]
        if name in _POINTS:
            x, y = (_numbers(shape[f"all_points_{axis}"]) for axis in "xy")
        elif name in _ROUND:
            x, y, rx, ry = _numbers([shape[key] for key in _ROUND[name]])
            (angle,) = _numbers([shape.get("theta", 0)])
        elif name != "point":
            raise ValueError
    except (KeyError, RecursionError, TypeError, ValueError):
        raise Excluded("bad-row", "expected a shape of the VGG Image Annotator as JSON") from None
    if name == "point" or (name in _POINTS and not 3 <= len(x) <= MAX_POINTS):
        raise Excluded("contour-points", f"expected a shape of 3 to {MAX_POINTS} points, or a round one")
    if name in _ROUND:
        if rx <= 0 or ry <= 0:
            raise Excluded("contour-points", "a round shape without a size")
        return {"name": name, "numbers": (x, y, rx, ry), "angle": angle}
    if len(x) != len(y):
        raise Excluded("bad-row", "expected as many x as y")
    return {"name": name, "x": x, "y": y}


def _numbers(values: list) -> list[float]:
    """Finite numbers of a shape, as far as pixels go.

    Raises
    ------
    TypeError, ValueError
        When they are anything else.
    """
    numbers = [float(value) for value in values if not isinstance(value, (bool, str))]
    if len(numbers) != len(values) or not all(math.isfinite(n) and abs(n) < 1e6 for n in numbers):
        raise ValueError
    return numbers
