"""Reads INbreast: full-field digital mammograms with contours drawn by specialists.

References
----------
.. [1] Moreira et al., "INbreast: toward a full-field digital mammographic database",
   Academic Radiology 19(2) (2012).
"""

import plistlib
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations
from pathlib import Path, PurePosixPath
from xml.parsers.expat import ExpatError

import numpy as np
import pandas as pd
import xlrd
from skimage.draw import polygon

from mammoflow.archives import release
from mammoflow.archives.marks import INBREAST_TABLE
from mammoflow.archives.release import Files, Index
from mammoflow.base import pool, user_tables
from mammoflow.base.boxes import bounding_box
from mammoflow.base.exclusions import Excluded, unreadable
from mammoflow.dicom import headers

SPACING_MM = 0.07
MAX_XML_BYTES = 16 * 2**20
# Of all masses of an image; a contour takes time with its points times its pixels.
MAX_POINTS = 10_000
NO_FINDING = "1"
MASS = "Mass"
# The names that the release has besides; a name is free text, and no other is repeated.
OTHER_REGIONS = (
    "Asimmetry",
    "Assymetry",
    "Asymmetry",
    "Calcification",
    "Calcifications",
    "Cluster",
    "Distortion",
    "Espiculated Region",
    "Point 1",
    "Point 3",
    "Spiculated Region",
    "Spiculated region",
    "Unnamed",
)
VIEWS = {"CC": "CC", "ML": "MLO", "FB": "FB"}
COLUMNS = ("File Name", "Bi-Rads")
# A column that is not needed, and compared where it is there.
SIDE = "Laterality"
PAPER = {
    "patients": 108,
    "patients with masses": 50,
    "patients without masses": 58,
    "images": 410,
    "images with masses": 107,
    "images without masses": 303,
    "contours": 116,
    "lesions": 112,
}

_NAME = re.compile(
    r"(?P<id>[0-9]+)_(?P<patient>[0-9a-f]{16})_MG_(?P<side>[LR])_(?P<view>CC|ML|FB)_ANON(?i:\.dcm)"
)
_BIRADS = re.compile(r"[0-6][abc]?")
_NUMBER = r"\s*(-?[0-9]{1,7}(?:\.[0-9]{0,12})?)\s*"
_POINT = re.compile(rf"\({_NUMBER},{_NUMBER}\)")


@dataclass
class _Image:
    """One image with what was found for it; excluded as a whole where `row` is None."""

    row: dict[str, object] | None = None
    lesions: list[dict[str, object]] = field(default_factory=list)
    contours: int = 0
    flags: list[str] = field(default_factory=list)
    ignored: Counter = field(default_factory=Counter)
    used: list[str] = field(default_factory=list)
    excluded: list[tuple[str, Excluded]] = field(default_factory=list)


@dataclass(frozen=True)
class _Release:
    """Files and what the table says, by identifier: one each, unless there are copies or contradictions.

    The table's sides (L or R) are there only where it has a column of them.
    """

    root: Path
    images: dict[str, list[str]]
    xml: dict[str, list[str]]
    birads: dict[str, list[str]]
    sides: dict[str, set[str]]


def index(root: Path, threads: int) -> Index:
    """Images, masses and exclusions of an INbreast release.

    Contours named ``Mass`` decide which images have masses. An image without an annotation file
    has no finding where its Bi-Rads is 1; otherwise it is left out, and so is an image with a
    mass that cannot be used: elsewhere it would pass for complete. Contours of one image whose
    boxes overlap become one lesion.

    Parameters
    ----------
    root : Path
        Folder with the DICOM files and their XML files at any depth, and ``INbreast.csv`` or
        ``INbreast.xls`` at most two folders below.
    threads : int
        Files read at the same time.

    Raises
    ------
    ValueError
        When the table is missing or there twice, a column is missing, it has no row of any image, or
        no image is usable.
    """
    files = release.walk(root)
    table_path, birads, sides = _table(files)
    release.require_some(files, "DICOM files of INbreast", partial(release.is_image, files.root))
    source = _Release(files.root, *_annotated(files), birads, sides)
    if source.images and not source.images.keys() & birads.keys():
        raise ValueError(
            f"{files.root / table_path}: expected the rows of the {len(source.images)} images under "
            f"{files.root}, found rows of {len(birads)} others"
        )
    images = list(pool.in_processes(lambda image_id: _image(source, image_id), source.images, threads))
    used = {table_path, *(path for image in images for path in image.used)}
    for path, error in (entry for image in images for entry in image.excluded):
        files.exclude(path, error)
    for image_id in sorted(birads.keys() - source.images.keys()):
        files.exclude(image_id, Excluded("missing-file", "a row of the table"))
    known = used | {row["path"] for row in files.excluded}
    for path in files.paths:
        if path in known:
            continue
        if _is_xml(path):
            has_image = PurePosixPath(path).stem in source.images
            files.exclude(path, Excluded("image-excluded" if has_image else "missing-image"))
        else:
            files.plain += 1
    rows = [image.row for image in images if image.row]
    lesions = [lesion for image in images for lesion in image.lesions]
    return release.make_index(files, rows, lesions, PAPER, _counts(images), len(used))


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
        Of ``lesions.csv``: the annotation file and the places of the contours in it, from 0, as
        in ``AllXML/20586908.xml#2+5``.
    shape : tuple of int
        Rows and columns of the image.

    Returns
    -------
    (M, N) bool ndarray

    Raises
    ------
    Excluded
        When the annotation file is no longer what it was.
    """
    path, _, places = source.rpartition("#")
    masses = dict(_masses(_rois(release.inside(root, path))))
    try:
        contours = [_contour(masses[int(place)]) for place in places.split("+")]
    except KeyError:
        raise Excluded("bad-xml", "the annotation file is no longer what it was") from None
    return _mask(contours, shape)


def _table(files: Files) -> tuple[str, dict[str, list[str]], dict[str, set[str]]]:
    """Path of the table, and by image Bi-Rads and sides: one each, or all where its rows differ."""
    relative = release.table_path(files, INBREAST_TABLE)
    path = files.root / relative
    if path.suffix == ".csv":
        frame = user_tables.read(path, COLUMNS, "the INbreast table")
    else:
        frame = _read_sheet(path)
    # Some copies have their numbers as 20586908.0; a spreadsheet has a blank row and a row of totals.
    said = frame[list(COLUMNS)].apply(
        lambda column: column.str.strip().str.removesuffix(".0").str.removesuffix(",0")
    )
    said = said[said["File Name"].str.fullmatch("[0-9]+")]
    if said.empty:
        raise ValueError(f"{path}: expected a row for each image, found none with a number as File Name")
    for image_id in said["File Name"][said.duplicated()]:
        files.exclude(image_id, Excluded("duplicate", "a row of the table that is there a second time"))
    birads = defaultdict(list)
    for image_id, score in said.drop_duplicates().itertuples(index=False):
        birads[image_id].append(score if _BIRADS.fullmatch(score) else "")
    sides = defaultdict(set)
    if SIDE in frame:
        for image_id, side in zip(said["File Name"], frame.loc[said.index, SIDE].str.strip(), strict=True):
            sides[image_id] |= {side} & {"L", "R"}
    return relative, dict(birads), dict(sides)


def _read_sheet(path: Path) -> pd.DataFrame:
    """First sheet of a spreadsheet in Excel's binary format, as texts."""
    try:
        sheet = xlrd.open_workbook(path).sheet_by_index(0)
        header, *rows = ([_text(value) for value in sheet.row_values(row)] for row in range(sheet.nrows))
    except OSError:
        raise
    except Exception as error:  # the reader of damaged spreadsheets raises anything
        raise user_tables.unreadable(path, "a table in an Excel 97 spreadsheet", error) from error
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        raise ValueError(
            f"{path}: expected the columns of the INbreast table, missing {missing} among {len(header)}"
        )
    frame = pd.DataFrame(rows, columns=header, dtype=str)
    return frame.loc[:, ~frame.columns.duplicated()]


def _text(value: object) -> str:
    """Text of a spreadsheet's cell, whose numbers are all floats."""
    return str(int(value) if isinstance(value, float) and value.is_integer() else value).strip()


def _is_xml(path: str) -> bool:
    return PurePosixPath(path).suffix.lower() == ".xml"


def _annotated(files: Files) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Images that are named as the release names them, and annotation files, by identifier.

    Other DICOM files are excluded.
    """
    images, xml = defaultdict(list), defaultdict(list)
    for path in files.paths:
        name = PurePosixPath(path)
        if match := _NAME.fullmatch(name.name):
            images[match["id"]].append(path)
        elif _is_xml(path):
            xml[name.stem].append(path)
        elif release.is_image(files.root, path):
            files.exclude(path, Excluded("name"))
    return dict(images), dict(xml)


def _image(source: _Release, image_id: str) -> _Image:
    image, paths = _Image(), source.images[image_id]
    try:
        path = _first(image, source, paths)
        header = headers.read_header(release.inside(source.root, path))
        if reason := headers.gate(header):
            raise Excluded(reason)
        spacing_mm, spacing_source, flags = headers.spacing(header)
        if spacing_mm is None:
            spacing_mm, spacing_source = SPACING_MM, "release"
        shape = (header.Rows, header.Columns)
        birads = _reading(source, image_id)
        image.flags += headers.flags(header) + flags
        if image_id in source.xml:
            xml = _first(image, source, source.xml[image_id])
            _add_lesions(image, source, image_id, xml, shape, spacing_mm, birads)
            image.used.append(xml)
        elif birads != NO_FINDING:
            raise Excluded("missing-xml")
    except Excluded as error:
        listed = {path for path, _ in image.excluded}
        image.excluded += [(path, error) for path in paths if path not in listed]
        return image
    if image_id not in source.birads:
        image.flags.append("not-in-table")
    name = _NAME.fullmatch(PurePosixPath(path).name)
    given = headers.sides(header), source.sides.get(image_id, set())
    image.flags += release.side_flags(name["side"], *given)
    image.used.append(path)
    image.row = {
        "image_id": image_id,
        "patient_id": name["patient"],
        "laterality": name["side"],
        "view": VIEWS[name["view"]],
        "official_split": "",
        "path": path,
        "rows": shape[0],
        "columns": shape[1],
        "spacing_mm": spacing_mm,
        "spacing_source": spacing_source,
        "flags": ";".join(dict.fromkeys(image.flags)),
    }
    return image


def _first(image: _Image, source: _Release, paths: list[str]) -> str:
    """The first of several paths of one file; the others are excluded.

    Raises
    ------
    Excluded
        ``duplicate`` when the others are not copies of it.
    """
    first, *others = paths
    release.require_copies(source.root, paths)
    image.excluded += [(path, Excluded("duplicate")) for path in others]
    return first


def _reading(source: _Release, image_id: str) -> str:
    """Bi-Rads of an image; empty where the table has none.

    Raises
    ------
    Excluded
        ``bad-row``.
    """
    readings = source.birads.get(image_id, [""])
    if len(readings) > 1:
        raise Excluded("bad-row", "the rows of the image differ in Bi-Rads")
    return readings[0]


def _add_lesions(
    image: _Image,
    source: _Release,
    image_id: str,
    xml: str,
    shape: tuple[int, int],
    spacing_mm: float,
    birads: str,
) -> None:
    """Add the masses of an annotation file to an image.

    Raises
    ------
    Excluded
        ``bad-xml``; ``lesion-excluded`` when one of the masses cannot be used.
    """
    rois = _rois(release.inside(source.root, xml))
    image.ignored.update(_listed_name(roi["Name"]) for roi in rois if roi["Name"] != MASS)
    contours, boxes, failures = {}, {}, {}
    for place, roi in _masses(rois):
        try:
            contours[place] = _contour(roi)
            boxes[place] = bounding_box(_mask([contours[place]], shape))
        except Excluded as error:
            failures[place] = error
    if failures:
        left_out = dict.fromkeys(boxes, Excluded("image-excluded")) | failures
        image.excluded += [(f"{xml}#{place}", error) for place, error in sorted(left_out.items())]
        raise release.lesion_excluded(len(failures), len(left_out))
    if any(_leaves(contour, shape) for contour in contours.values()):
        image.flags.append("contour-clipped")
    image.contours = len(contours)
    for number, places in enumerate(_overlapping(boxes), start=1):
        image.lesions.append(
            release.lesion_row(
                image_id=image_id,
                lesion_id=f"{image_id}_{number}",
                mask=_mask([contours[place] for place in places], shape),
                spacing_mm=spacing_mm,
                pathology=f"BI-RADS {birads}" if birads else "",
                source=f"{xml}#{'+'.join(map(str, places))}",
            )
        )


def _listed_name(name: str) -> str:
    """Name under which a region that is no mass is counted."""
    return name if name in OTHER_REGIONS else "(other)" if name else "(empty)"


def _rois(path: Path) -> list[dict[str, object]]:
    """Name and points, as they are written, of the regions of interest of an annotation file.

    Raises
    ------
    Excluded
        ``bad-xml``. Entities and binary property lists are refused.
    """
    with unreadable():
        size = path.stat().st_size
        if size > MAX_XML_BYTES:
            raise Excluded("bad-xml", f"expected at most {MAX_XML_BYTES} bytes, got {size}")
        content = path.read_bytes()
    try:
        document = plistlib.loads(content, fmt=plistlib.FMT_XML)
        rois = [
            {"Name": str.strip(roi["Name"]), "Point_px": [str.strip(text) for text in roi["Point_px"]]}
            for image in document["Images"]
            for roi in image["ROIs"]
        ]
    except (AttributeError, ExpatError, LookupError, OverflowError, TypeError, ValueError) as error:
        raise Excluded("bad-xml", f"the property list cannot be read ({type(error).__name__})") from error
    points = sum(len(roi["Point_px"]) for _, roi in _masses(rois))
    if points > MAX_POINTS:
        raise Excluded("bad-xml", f"expected masses of at most {MAX_POINTS} points, got {points}")
    return rois


def _masses(rois: list[dict[str, object]]) -> list[tuple[int, dict[str, object]]]:
    """Masses among the regions of interest, each with its place in the file."""
    return [(place, roi) for place, roi in enumerate(rois) if roi["Name"] == MASS]


def _contour(roi: dict[str, object]) -> np.ndarray:
    """Points of a contour, shape (K, 2), ``(x, y)`` as they are written.

    Raises
    ------
    Excluded
        ``bad-xml`` or ``contour-points``.
    """
    matches = [_POINT.fullmatch(text) for text in roi["Point_px"]]
    if not all(matches):
        raise Excluded("bad-xml", "expected points written (x, y)")
    if len(matches) < 3:
        raise Excluded("contour-points", f"expected at least 3 points, got {len(matches)}")
    return np.array([match.groups() for match in matches], dtype=np.float64)


def _mask(contours: list[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """Pixels of an image inside any of some contours.

    Raises
    ------
    Excluded
        ``contour-outside`` when there is none.
    """
    mask = np.zeros(shape, dtype=bool)
    for contour in contours:
        mask[polygon(contour[:, 1], contour[:, 0], shape)] = True
    if not mask.any():
        raise Excluded("contour-outside")
    return mask


def _leaves(contour: np.ndarray, shape: tuple[int, int]) -> bool:
    """Whether a contour goes beyond the image by more than the pixel at its border."""
    return bool((contour < -1).any() or (contour > shape[::-1]).any())


def _overlapping(boxes: dict[int, tuple[int, int, int, int]]) -> list[list[int]]:
    """Groups of keys whose boxes overlap, directly or through each other, in order of first key."""
    groups = [{key} for key in boxes]
    for a, b in combinations(boxes, 2):
        if _overlap(boxes[a], boxes[b]):
            joined = [group for group in groups if a in group or b in group]
            groups = [group for group in groups if group not in joined] + [set().union(*joined)]
    return sorted(sorted(group) for group in groups)


def _overlap(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _counts(images: list[_Image]) -> dict[str, int]:
    """Quantities of the reconciliation; the regions of interest that are not masses follow by name."""
    usable = [image for image in images if image.row]
    patients = {image.row["patient_id"] for image in usable}
    with_masses = [image for image in usable if image.lesions]
    patients_with = {image.row["patient_id"] for image in with_masses}
    ignored = sum((image.ignored for image in usable), Counter())
    return {
        "patients": len(patients),
        "patients with masses": len(patients_with),
        "patients without masses": len(patients - patients_with),
        "images": len(usable),
        "images with masses": len(with_masses),
        "images without masses": len(usable) - len(with_masses),
        "contours": sum(image.contours for image in usable),
        "lesions": sum(len(image.lesions) for image in usable),
        **{f"regions ignored: {name}": count for name, count in sorted(ignored.items())},
    }
