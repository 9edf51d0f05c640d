"""Reads and writes boxes as COCO JSON: truth with ``images`` and ``annotations``, and lists of results."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from mammoflow.base import storage
from mammoflow.base.boxes import BOX

# More than the results of a large study take.
_MOST = 2**30

# More than any coordinate or score.
_FAR = 1e9


def read(path: str | Path) -> Any:  # noqa: ANN401
    """Content of a JSON file.

    Raises
    ------
    ValueError
        When the file cannot be read, is no JSON, or is larger than any table of boxes.
    """
    try:
        content = Path(path).read_bytes() if (size := Path(path).stat().st_size) <= _MOST else b""
    except OSError as error:
        raise ValueError(
            f"{path}: expected COCO JSON, got a file that cannot be read ({error.strerror})"
        ) from error
    if size > _MOST:
        raise ValueError(f"{path}: expected COCO JSON of at most {_MOST:,} bytes, got {size:,}")
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:  # of ValueError, also for a number of thousands of digits
        raise ValueError(f"{path}: expected COCO JSON, got {type(error).__name__}") from error


def results(content: object, origin: str, names: Mapping[object, str] | None = None) -> pd.DataFrame:
    """Boxes of COCO results.

    Parameters
    ----------
    content : object
        Content of the file: a list with ``image_id``, ``bbox`` (``[x, y, width, height]``) and ``score``.
        Categories are not told apart.
    origin : str
        The file, for the message.
    names : mapping, optional
        Image identifiers by COCO's ``image_id``; by default the ``image_id`` as text.

    Returns
    -------
    pandas.DataFrame
        image_id, y0, x0, y1, x1 and score, float.

    Raises
    ------
    ValueError
        When the content is another one, or names an image that is not listed.
    """
    if not isinstance(content, list):
        raise ValueError(f"{origin}: expected COCO results (a list of boxes), got {type(content).__name__}")
    rows = []
    for number, entry in enumerate(content):
        place = f"{origin}: result {number}"
        rows.append((_name(entry, names, place), *_box(entry, place), _number(entry, "score", place)))
    return pd.DataFrame(rows, columns=["image_id", *BOX, "score"]).astype({"image_id": str})


def truth(content: object, origin: str) -> tuple[pd.DataFrame, pd.DataFrame, dict[object, str]]:
    """Images and lesions of a COCO data set.

    Parameters
    ----------
    content : object
        Content of the file: an object with ``images`` (``id``, ``file_name``) and ``annotations``
        (``image_id``, ``bbox``). Crowds (``iscrowd``) are left out.
    origin : str
        The file, for the message.

    Returns
    -------
    images : pandas.DataFrame
        image_id, and patient_id and laterality where every image has them.
    lesions : pandas.DataFrame
        image_id, y0, x0, y1 and x1, float.
    names : dict
        Image identifiers by COCO's ``id``: the file's name without suffix; the ``id`` as text where files
        have no names, or some have the same.

    Raises
    ------
    ValueError
        When the content is another one.
    """
    if not isinstance(content, dict) or not all(
        isinstance(content.get(key), list) for key in ("images", "annotations")
    ):
        raise ValueError(
            f"{origin}: expected a COCO data set with 'images' and 'annotations', got something else"
        )
    names = {}
    for number, image in enumerate(content["images"]):
        if not isinstance(image, dict) or not isinstance(image.get("id"), int | str):
            raise ValueError(f"{origin}: image {number}: expected an entry with an 'id', got something else")
        name = Path(str(image.get("file_name") or image["id"])).stem
        names[image["id"]] = text(name, f"{origin}: image {number}")
    if len(set(names.values())) < len(names):  # files of one name in several folders
        names = {image_id: str(image_id) for image_id in names}
    if len(set(names.values())) < len(content["images"]):
        raise ValueError(f"{origin}: expected images with ids of their own, got some of them twice")
    images = pd.DataFrame({"image_id": list(names.values())}, dtype=str)
    for key in ("patient_id", "laterality"):
        if all(image.get(key) is not None for image in content["images"]):
            images[key] = [str(image[key]) for image in content["images"]]
    rows = [
        (
            _name(entry, names, f"{origin}: annotation {number}"),
            *_box(entry, f"{origin}: annotation {number}"),
        )
        for number, entry in enumerate(content["annotations"])
        if not (isinstance(entry, dict) and entry.get("iscrowd"))
    ]
    return images, pd.DataFrame(rows, columns=["image_id", *BOX]).astype({"image_id": str}), names


def _name(entry: object, names: Mapping[object, str] | None, place: str) -> str:
    image_id = entry.get("image_id") if isinstance(entry, dict) else None
    if not isinstance(image_id, int | str):
        raise ValueError(f"{place}: expected an entry with an 'image_id', got something else")
    if names is None:
        return text(str(image_id), place)
    if image_id not in names:
        raise ValueError(
            f"{place}: expected an image of the data set ({len(names)} images), got {image_id!r}"
        )
    return names[image_id]


def text(name: str, place: str) -> str:
    """The name, if tables can hold it: JSON may have halves of characters, such as a lone surrogate."""
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{place}: expected a name in Unicode, got half a character in it") from error
    return name


def _box(entry: Mapping[str, Any], place: str) -> tuple[float, float, float, float]:
    box = entry.get("bbox")
    if not isinstance(box, list) or len(box) != 4 or not all(map(is_number, box)):
        raise ValueError(f"{place}: expected 'bbox' as [x, y, width, height], got something else")
    x, y, width, height = map(float, box)
    if width <= 0 or height <= 0:
        raise ValueError(
            f"{place}: expected a 'bbox' with width and height above 0, got {width:g} × {height:g}"
        )
    return y, x, y + height, x + width


def _number(entry: Mapping[str, Any], key: str, place: str) -> float:
    if not is_number(entry.get(key)):
        raise ValueError(f"{place}: expected a finite number as '{key}', got something else")
    return float(entry[key])


def is_number(value: object) -> bool:
    """Whether a value of JSON is a finite number that can be a coordinate or a score."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _FAR


def write(boxes: pd.DataFrame, images: pd.DataFrame, results: Path, described: Path) -> None:
    """Write boxes as COCO results, and the images that they belong to as a COCO data set without annotations.

    Parameters
    ----------
    boxes : pandas.DataFrame
        image_id, y0, x0, y1, x1 and score.
    images : pandas.DataFrame
        image_id, rows and columns.
    results, described : Path
        The two files.
    """
    numbers = {image_id: number for number, image_id in enumerate(images["image_id"], start=1)}
    found = [
        {"image_id": numbers[row.image_id], **_category_and_box(row), "score": row.score}
        for row in boxes.itertuples(index=False)
    ]
    _dump(found, results)
    numbered = images.assign(number=images["image_id"].map(numbers), file_name=images["image_id"])
    _dump(_data_set(numbered, []), described)


def write_truth(images: pd.DataFrame, lesions: pd.DataFrame, path: Path) -> None:
    """Write images and the masses on them as a COCO data set.

    Parameters
    ----------
    images : pandas.DataFrame
        number (COCO's ``id``), file_name, rows and columns.
    lesions : pandas.DataFrame
        number of the image, y0, x0, y1 and x1.
    path : Path
        The file.
    """
    listed = [
        {
            "id": number,
            "image_id": row.number,
            **_category_and_box(row),
            "area": (row.x1 - row.x0) * (row.y1 - row.y0),
            "iscrowd": 0,
        }
        for number, row in enumerate(lesions.itertuples(index=False), start=1)
    ]
    _dump(_data_set(images, listed), path)


def _category_and_box(row: NamedTuple) -> dict[str, Any]:
    return {"category_id": 1, "bbox": [row.x0, row.y0, row.x1 - row.x0, row.y1 - row.y0]}


def _data_set(images: pd.DataFrame, annotations: Sequence[Mapping]) -> dict[str, Any]:
    listed = [
        {"id": row.number, "file_name": row.file_name, "height": row.rows, "width": row.columns}
        for row in images.itertuples(index=False)
    ]
    return {"images": listed, "annotations": annotations, "categories": [{"id": 1, "name": "mass"}]}


def _dump(content: Sequence | Mapping, path: Path) -> None:
    with storage.whole(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, default=_plain) + "\n")


def _plain(value: object) -> int | float:
    """A number of NumPy as one of Python."""
    return value.item()
