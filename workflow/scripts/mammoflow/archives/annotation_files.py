"""Reads what a user's files say about images: COCO JSON or a CSV of boxes, and a table of the images."""

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mammoflow.archives import marks
from mammoflow.base import coco, user_tables
from mammoflow.dicom.headers import SPACING_MM

ALL = "all"
EDGES, FROM_0, FROM_1 = "edges", "pixels-from-0", "pixels-from-1"
SPLITS = ("train", "validation", "test")
# Columns of a table of images, or keys of the images of COCO, besides the name of the file.
FACTS = ("patient", "laterality", "view", "spacing_mm", "split")

_CORNERS, _SIZES = ("x0", "y0", "x1", "y1"), ("x", "y", "width", "height")
_SIDES = {"l": "L", "left": "L", "r": "R", "right": "R"}
_VIEW = re.compile(r"[A-Z]{1,8}")
_SHOWN = 10


@dataclass(frozen=True)
class Listed:
    """An image as a file lists it.

    Parameters
    ----------
    place : str
        Where: the file and the row, or the place in COCO's ``images``.
    name : str
        Of the file, as it is written.
    facts : dict
        Of `FACTS`, those that are given: texts, and ``spacing_mm`` as a number.
    shape : tuple of int or None
        Rows and columns, where they are given.
    """

    place: str
    name: str
    facts: dict[str, Any]
    shape: tuple[int, int] | None = None


@dataclass(frozen=True)
class Finding:
    """An annotation of one image.

    Parameters
    ----------
    place : str
        Where, for ``excluded.csv``.
    source : str
        As ``lesions.csv`` has it: after ``#`` a place in COCO's ``annotations``, or of a table the box.
    category : str or None
        Empty where the file has no categories, None where it gives none that is known.
    entry : mapping
        With ``bbox``, ``segmentation`` and ``iscrowd`` as in COCO; without both of the first, the finding
        has no location.
    """

    place: str
    source: str
    category: str | None
    entry: Mapping[str, Any]


@dataclass(frozen=True)
class Content:
    """What the file of annotations lists.

    Parameters
    ----------
    images : dict
        Images by a key of the file: COCO's id, or the name of the image in a table.
    findings : dict
        Findings by the key of their image; COCO may have some of images that it does not list.
    """

    images: dict[str, Listed]
    findings: dict[str, list[Finding]]


def read(path: Path, name: str, coordinates: str | None) -> Content:
    """Read the file of annotations.

    Parameters
    ----------
    path : Path
        The file.
    name : str
        Its path relative to the root, for places and sources.
    coordinates : str or None
        What the numbers of a table are: `EDGES` of pixels, counted from 0 at the outer corner of the first
        pixel as in COCO, or `FROM_0`, `FROM_1`: pixels, the last one included.

    Raises
    ------
    ValueError
        When the file is no COCO data set, or no table of boxes.
    """
    return _read_coco(path, name) if marks.is_coco(name) else _read_table(path, name, coordinates)


def annotations_of(path: Path) -> list[Mapping[str, Any]]:
    """COCO's ``annotations``.

    Raises
    ------
    ValueError
        When the file is no COCO data set.
    """
    return _coco_lists(path)["annotations"]


def read_images(path: Path, name: str) -> list[Listed]:
    """Rows of the table of images.

    Parameters
    ----------
    path : Path
        CSV with the column ``image``, and any of `FACTS`.
    name : str
        Its path relative to the root.

    Raises
    ------
    ValueError
        When it is no such table, or a cell cannot be understood; the message names the row.
    """
    frame = user_tables.read(path, ["image"], "a table of images", numbers=["spacing_mm"])
    rows = []
    for number, row in enumerate(frame.to_dict("records"), start=2):
        if not row["image"].strip():
            raise ValueError(f"{path}: row {number}: expected the name of a file as 'image', got none")
        facts = _facts({key: row.get(key, "") for key in FACTS}, f"{path}: row {number}")
        rows.append(Listed(f"{name}:{number}", row["image"].strip(), facts))
    return rows


def together(first: Listed, second: Listed) -> Listed:
    """An image that two files list; what the second says of it comes first."""
    return replace(first, facts=first.facts | second.facts)


def require_masses(content: Content, masses: str | list[str], path: Path) -> None:
    """Refuse names of categories that no annotation has.

    Raises
    ------
    ValueError
        With the names that there are.
    """
    found = Counter(finding.category for group in content.findings.values() for finding in group)
    missing = [] if masses == ALL else [name for name in masses if name not in found]
    if missing and set(found) == {""}:
        raise ValueError(
            f"{path}: expected a column 'category' in which 'masses' can be looked up, got none; without "
            f"one, expected 'masses: {ALL}'"
        )
    if missing:
        known = [f"'{name}' ({count})" for name, count in found.most_common() if name][:_SHOWN]
        raise ValueError(
            f"{path}: expected annotations of every category that 'masses' names, got none of "
            f"'{missing[0]}'; the categories are {', '.join(known) or 'none'}"
        )


def _facts(values: Mapping[str, object], place: str) -> dict[str, Any]:
    """What is given of `FACTS`, checked."""
    texts = {key: _text(values.get(key), key, place) for key in FACTS}
    facts = {key: text for key, text in texts.items() if text}
    if "laterality" in facts:
        facts["laterality"] = _one_of(facts, "laterality", _SIDES, "L or R", place)
    if "split" in facts:
        splits = dict(zip(SPLITS, SPLITS, strict=True))
        facts["split"] = _one_of(facts, "split", splits, "train, validation or test", place)
    if "view" in facts:
        facts["view"] = facts["view"].upper()
        if not _VIEW.fullmatch(facts["view"]):
            raise ValueError(f"{place}: expected a view such as CC or MLO, got '{facts['view']}'")
    if "spacing_mm" in facts:
        facts["spacing_mm"] = _spacing(facts["spacing_mm"], place)
    return facts


def _text(value: object, key: str, place: str) -> str:
    """A cell, or a value of JSON, as text without blanks around it; empty where there is none.

    A number that is not finite is none; pandas writes NaN, and 1.0 for 1, where other numbers are missing.
    """
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{place}: expected a text or a number as '{key}', got something else")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return coco.text(str(value).strip(), place)


def _one_of(facts: Mapping[str, str], key: str, known: Mapping[str, str], words: str, place: str) -> str:
    if facts[key].lower() not in known:
        raise ValueError(f"{place}: expected {words} as '{key}', got '{facts[key]}'")
    return known[facts[key].lower()]


def _spacing(text: str, place: str) -> float:
    low, high = SPACING_MM
    value = _number(text)
    if value is None or not low <= value <= high:
        raise ValueError(
            f"{place}: expected the side of a pixel in mm, from {low:g} to {high:g}, as 'spacing_mm', "
            f"got '{text}'"
        )
    return value


def _number(text: str) -> float | None:
    """A finite number; None for any other text."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if coco.is_number(value) else None


def _coco_lists(path: Path) -> dict[str, list]:
    """The lists of a COCO data set."""
    content = coco.read(path)
    lists = ("images", "annotations", "categories")
    if not isinstance(content, dict) or not all(isinstance(content.get(key), list) for key in lists):
        raise ValueError(
            f"{path}: expected a COCO data set with 'images', 'annotations' and 'categories', "
            "got something else"
        )
    for key in lists:
        for number, entry in enumerate(content[key]):
            if not isinstance(entry, dict):
                raise ValueError(f"{path}: {_SINGULAR[key]} {number}: expected a mapping, got something else")
    return content


_SINGULAR = {"images": "image", "annotations": "annotation", "categories": "category"}


def _read_coco(path: Path, name: str) -> Content:
    content = _coco_lists(path)
    categories = {}
    for number, entry in enumerate(content["categories"]):
        place = f"{path}: category {number}"
        key = _key(entry, "id", place)
        if key in categories or not isinstance(entry.get("name"), str):
            raise ValueError(f"{place}: expected an 'id' of its own and a 'name', got something else")
        categories[key] = coco.text(entry["name"].strip(), place)
    images = {}
    for number, entry in enumerate(content["images"]):
        place = f"{path}: image {number}"
        key = _key(entry, "id", place)
        if key in images:
            raise ValueError(f"{place}: expected an 'id' of its own, got '{key}' a second time")
        images[key] = _listed(entry, f"{name}#image-{number}", place)
    findings: dict[str, list[Finding]] = {}
    for number, entry in enumerate(content["annotations"]):
        key = _key(entry, "image_id", f"{path}: annotation {number}")
        source = f"{name}#{number}"
        finding = Finding(source, source, categories.get(str(entry.get("category_id"))), entry)
        findings.setdefault(key, []).append(finding)
    return Content(images, findings)


def _key(entry: Mapping[str, Any], key: str, place: str) -> str:
    """Identifier as text: some programs write that of an image as a number, and refer to it by a text."""
    value = entry.get(key)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(f"{place}: expected a number or a text as '{key}', got something else")
    return coco.text(str(value), place)


def _listed(entry: Mapping[str, Any], place: str, where: str) -> Listed:
    """An image of COCO; ``patient_id`` is another name of its patient, as `mammoflow evaluate` reads it."""
    name = _text(entry.get("file_name"), "file_name", where)
    if not name:
        raise ValueError(f"{where}: expected the name of a file as 'file_name', got none")
    facts = _facts({"patient": entry.get("patient_id"), **entry}, where)
    sides = entry.get("height"), entry.get("width")
    known = all(isinstance(side, int) and not isinstance(side, bool) and side > 0 for side in sides)
    return Listed(place, name, facts, sides if known else None)


def _read_table(path: Path, name: str, coordinates: str | None) -> Content:
    columns = (*_CORNERS, *_SIZES)
    frame = user_tables.read(path, ["image"], "a table of boxes", numbers=columns)
    written = [names for names in (_CORNERS, _SIZES) if set(names) <= set(frame)]
    if len(written) != 1:
        raise ValueError(
            f"{path}: expected either the columns {', '.join(_CORNERS)} or {', '.join(_SIZES)}, "
            f"got {'both' if written else 'neither'}"
        )
    images: dict[str, Listed] = {}
    findings: dict[str, list[Finding]] = {}
    rows = Counter(frame["image"].str.strip())
    for number, row in enumerate(frame.to_dict("records"), start=2):
        image, where = row["image"].strip(), f"{path}: row {number}"
        if not image:
            raise ValueError(f"{where}: expected the name of a file as 'image', got none")
        images.setdefault(image, Listed(f"{name}:{number}", image, {}))
        cells = [row[column].strip() for column in written[0]]
        category = row.get("category", "").strip()
        if any(cells) or category:
            known = category if category or "category" not in frame else None
            finding = _finding(f"{name}:{number}", known, cells, written[0], coordinates)
            findings.setdefault(image, []).append(finding)
        elif rows[image] > 1:
            raise ValueError(f"{where}: expected a box, since '{image}' has other rows, got none")
    return Content(images, findings)


def _finding(
    place: str, category: str | None, cells: list[str], columns: tuple[str, ...], coordinates: str | None
) -> Finding:
    if not any(cells):
        return Finding(place, place, category, {})
    numbers = [_number(cell) for cell in cells]
    if None in numbers:
        return Finding(place, place, category, {"bbox": cells})
    x, y, right, below = numbers
    if coordinates == FROM_1:
        x, y = x - 1, y - 1
    if columns == _CORNERS:
        last = 1 if coordinates == FROM_0 else 0
        right, below = right + last - x, below + last - y
    source = f"{place}#{','.join(map(repr, (x, y, right, below)))}"
    return Finding(place, source, category, {"bbox": [x, y, right, below]})
