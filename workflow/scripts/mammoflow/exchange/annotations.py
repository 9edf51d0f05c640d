"""Writes masses and folds in the layouts of COCO and YOLO."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from mammoflow.base import coco, storage
from mammoflow.base.boxes import BOX
from mammoflow.breasts.geometry import Geometry

# Where the pictures are described, among the files of a conversion.
TABLE = "pictures.csv"

# The keys of YOLO's description of a data set by the roles of a fold.
_PARTS = {"train": "train", "val": "validation", "test": "test"}
_FOLD = rf"fold-[0-9]+-({'|'.join(_PARTS.values())})"
_FOLD_FILES = {"coco": rf"{_FOLD}\.json", "yolo": rf"{_FOLD}\.txt|fold-[0-9]+\.yaml"}


class Annotated(NamedTuple):
    """Pictures with their masses and folds.

    Parameters
    ----------
    pictures : pandas.DataFrame
        Table ``pictures``.
    boxes : pandas.DataFrame
        number of the picture, y0, x0, y1 and x1 in its pixels, half-open.
    folds : pandas.DataFrame
        number of the picture, fold and role.
    """

    pictures: pd.DataFrame
    boxes: pd.DataFrame
    folds: pd.DataFrame

    def parts(self) -> Iterator[tuple[str, pd.DataFrame]]:
        """Name of each part of each fold, such as ``fold-0-train``, and its pictures."""
        for (fold, role), rows in self.folds.groupby(["fold", "role"]):
            yield f"fold-{fold}-{role}", self.pictures[self.pictures["number"].isin(rows["number"])]


def picture(out: Path, number: int) -> Path:
    """File of a picture."""
    return out / "images" / _name(number)


def geometry(row: NamedTuple) -> Geometry:
    """Place of a picture, a row of the table ``pictures``, in its original."""
    return Geometry.from_attributes(row._asdict())


def fold_files(out: Path) -> dict[str, list[Path]]:
    """Files of folds that were written to a folder, by layout."""
    names = {layout: re.compile(pattern) for layout, pattern in _FOLD_FILES.items()}
    return {
        layout: [path for path in sorted(out.iterdir()) if name.fullmatch(path.name)]
        for layout, name in names.items()
    }


def write_coco(annotated: Annotated, out: Path) -> None:
    """Write a COCO data set for each part of each fold."""
    for name, pictures in annotated.parts():
        shapes = [geometry(row).shape for row in pictures.itertuples(index=False)]
        images = pd.DataFrame(shapes, columns=["rows", "columns"])
        images["number"] = pictures["number"].to_numpy()
        images["file_name"] = images["number"].map(_name)
        boxes = annotated.boxes[annotated.boxes["number"].isin(images["number"])]
        coco.write_truth(images, boxes, out / f"{name}.json")


def write_yolo(annotated: Annotated, out: Path) -> None:
    """Write a file of labels for each picture, and for each fold its description and a list for each part.

    Paths are relative to ``out``, as Ultralytics reads them: those in a list only if it is in that folder.
    """
    boxes = dict(list(annotated.boxes.groupby("number")))
    for row in annotated.pictures.itertuples(index=False):
        lines = _labels(boxes[row.number][BOX].to_numpy(float), geometry(row)) if row.number in boxes else ""
        _write((out / "labels" / _name(row.number)).with_suffix(".txt"), lines)
    for name, pictures in annotated.parts():
        listed = [f"./{picture(Path(), number).as_posix()}\n" for number in pictures["number"]]
        _write(out / f"{name}.txt", "".join(listed))
    for fold in sorted(set(annotated.folds["fold"])):
        parts = [f"{key}: fold-{fold}-{role}.txt\n" for key, role in _PARTS.items()]
        _write(out / f"fold-{fold}.yaml", "".join(parts) + "names:\n  0: mass\n")


def _labels(boxes: np.ndarray, place: Geometry) -> str:
    """Lines ``class x y width height``: centre and size as shares of the picture."""
    (y0, x0, y1, x1), (rows, columns) = boxes.T, place.shape
    centred = zip(
        (x0 + x1) / 2 / columns, (y0 + y1) / 2 / rows, (x1 - x0) / columns, (y1 - y0) / rows, strict=True
    )
    return "".join("0 " + " ".join(f"{value:.9f}" for value in box) + "\n" for box in centred)


def _name(number: int) -> str:
    return f"{number:06d}.png"


def _write(path: Path, text: str) -> None:
    with storage.whole(path) as temporary:
        temporary.write_text(text)
