"""INbreast: full-field digital mammograms with contours drawn by specialists.

References
----------
.. [1] Moreira et al., "INbreast: toward a full-field digital mammographic database",
   Academic Radiology 19(2) (2012).
"""

import filecmp
import plistlib
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path, PurePosixPath
from xml.parsers.expat import ExpatError

import numpy as np
import pandas as pd
from skimage.draw import polygon

from mammoflow import dicom, pool
from mammoflow.boxes import bounding_box
from mammoflow.datasets import release
from mammoflow.datasets.marks import INBREAST_TABLE
from mammoflow.datasets.release import Files, Index
from mammoflow.exclusions import Excluded

SPACING_MM = 0.07
MAX_XML_BYTES = 16 * 2**20
NO_FINDING = "1"
VIEWS = {"CC": "CC", "ML": "MLO", "FB": "FB"}
COLUMNS = ("File Name", "Bi-Rads")
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

_NAME = re.compile(r"(?P<id>\d+)_(?P<patient>[0-9a-f]{16})_MG_(?P<side>[LR])_(?P<view>CC|ML|FB)_ANON\.dcm")
_NUMBER = r"\s*(-?\d{1,7}(?:\.\d{0,12})?)\s*"
_POINT = re.compile(rf"\({_NUMBER},{_NUMBER}\)")


@dataclass
class _Image:
    """One image with what was found for it; excluded as a whole where `row` is None."""

    row: dict[str, object] | None = None
    lesions: list[dict[str, object]] = field(default_factory=list)
    contours: int = 0
    ignored: Counter = field(default_factory=Counter)
    used: list[str] = field(default_factory=list)
    excluded: list[tuple[str, Excluded]] = field(default_factory=list)


@dataclass(frozen=True)
class _Release:
    """Where things are: XML files (one, unless there are copies) and Bi-Rads by identifier."""

    root: Path
    xml: dict[str, list[str]]
    birads: dict[str, str]


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
        When the table is missing or there twice, a column is missing, or no image is usable.
    """
    files = release.walk(root)
    table_path, birads = _table(files)
    paths = _image_paths(files)
    xml = defaultdict(list)
    for path in files.paths:
        if PurePosixPath(path).suffix.lower() == ".xml":
            xml[PurePosixPath(path).stem].append(path)
    source = _Release(files.root, xml, birads)
    images = list(pool.ordered(lambda item: _image(source, *item), paths.items(), threads))
    used = {table_path, *(path for image in images for path in image.used)}
    for path, error in (entry for image in images for entry in image.excluded):
        files.exclude(path, error)
    for image_id in sorted(birads.keys() - paths.keys()):
        files.exclude(image_id, Excluded("missing-file", "a row of the table"))
    known = used | {row["path"] for row in files.excluded}
    for path in files.paths:
        if path in known:
            continue
        if PurePosixPath(path).suffix.lower() == ".xml":
            files.exclude(path, Excluded("image-excluded"))
        else:
            files.plain += 1
    rows = [image.row for image in images if image.row]
    lesions = [lesion for image in images for lesion in image.lesions]
    return release.make_index(files, rows, lesions, PAPER, _counts(images), len(used))


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
    rois = _rois(release.inside(root, path))
    mask = np.zeros(shape, dtype=bool)
    for place in places.split("+"):
        mask |= _contour(rois[int(place)], shape)
    return mask


def _table(files: Files) -> tuple[str, dict[str, str]]:
    """Path of the table, and Bi-Rads by image identifier."""
    relative = release.table_path(files, INBREAST_TABLE)
    path = files.root / relative
    if path.suffix == ".csv":
        frame = release.read_csv(path, "a table separated by semicolons", ";")
    else:
        frame = _read_sheet(path)
    missing = [column for column in COLUMNS if column not in frame]
    if missing:
        raise ValueError(f"{path}: expected the columns of the INbreast table, missing {missing}")
    # A spreadsheet turns the numbers of the files into floats, and has a blank row and a row of totals.
    names = frame["File Name"].str.strip().str.removesuffix(".0")
    is_image = names.str.fullmatch(r"\d+")
    return relative, dict(zip(names[is_image], frame["Bi-Rads"][is_image].str.strip(), strict=True))


def _read_sheet(path: Path) -> pd.DataFrame:
    try:
        frame = pd.read_excel(path, dtype=str, keep_default_na=False)
    except (OSError, ImportError):
        raise
    except Exception as error:  # the readers of damaged spreadsheets raise anything
        raise release.unreadable_table(path, "a table in a spreadsheet", error) from error
    return frame.set_axis(frame.columns.astype(str).str.strip(), axis=1)


def _image_paths(files: Files) -> dict[str, str]:
    """DICOM files that are named as the release names them, by identifier; others are excluded."""
    paths: dict[str, str] = {}
    for path in files.paths:
        name = PurePosixPath(path).name
        if match := _NAME.fullmatch(name):
            if match["id"] in paths:
                files.exclude(path, Excluded("duplicate"))
            else:
                paths[match["id"]] = path
        elif release.is_image(files.root, path):
            files.exclude(path, Excluded("name"))
    return paths


def _image(source: _Release, image_id: str, path: str) -> _Image:
    image = _Image()
    name = _NAME.fullmatch(PurePosixPath(path).name)
    try:
        header = dicom.read_header(release.inside(source.root, path))
        if reason := dicom.gate(header):
            raise Excluded(reason)
        spacing_mm, spacing_source, flags = dicom.spacing(header)
        if spacing_mm is None:
            spacing_mm, spacing_source = SPACING_MM, "release"
        flags = dicom.flags(header) + flags
        shape = (header.Rows, header.Columns)
        xml = _annotation(image, source, image_id)
        if xml is None and source.birads.get(image_id) != NO_FINDING:
            raise Excluded("missing-xml")
        if xml is not None:
            _add_lesions(image, source, image_id, xml, shape, spacing_mm)
            image.used.append(xml)
    except Excluded as error:
        image.excluded.append((path, error))
        return image
    if image_id not in source.birads:
        flags.append("not-in-table")
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
        "flags": ";".join(dict.fromkeys(flags)),
    }
    return image


def _annotation(image: _Image, source: _Release, image_id: str) -> str | None:
    """The first annotation file of an image, if any; the others are excluded.

    Raises
    ------
    Excluded
        ``duplicate`` when the others are not copies of it.
    """
    paths = source.xml.get(image_id, [])
    files = [release.inside(source.root, path) for path in paths]
    if not all(filecmp.cmp(files[0], file, shallow=False) for file in files[1:]):
        raise Excluded("duplicate", "two annotation files differ")
    image.excluded += [(path, Excluded("duplicate")) for path in paths[1:]]
    return paths[0] if paths else None


def _add_lesions(
    image: _Image, source: _Release, image_id: str, xml: str, shape: tuple[int, int], spacing_mm: float
) -> None:
    """Add the masses of an annotation file to an image.

    Raises
    ------
    Excluded
        ``bad-xml``; ``lesion-excluded`` when one of the masses cannot be used.
    """
    masks, failures = {}, {}
    for place, roi in enumerate(_rois(release.inside(source.root, xml))):
        roi_name = roi["Name"].strip()
        if roi_name != "Mass":
            image.ignored[roi_name or "(empty)"] += 1
            continue
        try:
            masks[place] = _contour(roi, shape)
        except Excluded as error:
            failures[place] = error
    if failures:
        left_out = failures | dict.fromkeys(masks, Excluded("image-excluded"))
        image.excluded += [(f"{xml}#{place}", error) for place, error in sorted(left_out.items())]
        raise release.lesion_excluded(len(failures), len(left_out))
    image.contours = len(masks)
    birads = source.birads.get(image_id, "")
    for number, places in enumerate(_overlapping({p: bounding_box(m) for p, m in masks.items()}), start=1):
        image.lesions.append(
            release.lesion_row(
                image_id=image_id,
                lesion_id=f"{image_id}_{number}",
                mask=np.logical_or.reduce([masks[place] for place in places]),
                spacing_mm=spacing_mm,
                pathology=f"BI-RADS {birads}" if birads else "",
                source=f"{xml}#{'+'.join(map(str, places))}",
            )
        )


def _rois(path: Path) -> list[dict[str, object]]:
    """Regions of interest of an annotation file, in its order.

    Raises
    ------
    Excluded
        ``bad-xml``. Entities and binary property lists are refused.
    """
    size = path.stat().st_size
    if size > MAX_XML_BYTES:
        raise Excluded("bad-xml", f"expected at most {MAX_XML_BYTES} bytes, got {size}")
    try:
        document = plistlib.loads(path.read_bytes(), fmt=plistlib.FMT_XML)
        rois = [roi for image in document["Images"] for roi in image["ROIs"]]
        return [{"Name": str(roi["Name"]), "Point_px": list(roi["Point_px"])} for roi in rois]
    except (
        AttributeError,
        ExpatError,
        LookupError,
        OverflowError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        raise Excluded("bad-xml", f"the property list cannot be read ({type(error).__name__})") from error


def _contour(roi: dict[str, object], shape: tuple[int, int]) -> np.ndarray:
    """Pixels inside a contour, whose points are written ``(x, y)``.

    Raises
    ------
    Excluded
        ``bad-xml``, ``contour-points`` or ``contour-outside``.
    """
    matches = [_POINT.fullmatch(str(text).strip()) for text in roi["Point_px"]]
    if not all(matches):
        raise Excluded("bad-xml", "expected points written (x, y)")
    if len(matches) < 3:
        raise Excluded("contour-points", f"expected at least 3 points, got {len(matches)}")
    x, y = np.array([match.groups() for match in matches], dtype=np.float64).T
    mask = np.zeros(shape, dtype=bool)
    mask[polygon(y, x, shape)] = True
    if not mask.any():
        raise Excluded("contour-outside")
    return mask


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
