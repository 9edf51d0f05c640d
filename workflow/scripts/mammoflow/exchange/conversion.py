"""Writes the images, masses and folds of a study as a data set for other detection programs."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple, TextIO

import numpy as np
import pandas as pd
from PIL import Image

from mammoflow.base import pool, storage
from mammoflow.base.boxes import BOX
from mammoflow.base.contracts.converted import PICTURES
from mammoflow.base.countdown import Countdown
from mammoflow.breasts.geometry import Geometry
from mammoflow.breasts.image_store import StoredImage
from mammoflow.exchange import annotations, study_results
from mammoflow.exchange.study_results import Described, StudyResults

LAYOUTS: Mapping[str, Callable[[annotations.Annotated, Path], None]] = {
    "coco": annotations.write_coco,
    "yolo": annotations.write_yolo,
}
BITS = (8, 16)

# Percentages of the breast's pixels that are at most 0, and at most 255, in a picture of 8 bits.
_DARKEST, _BRIGHTEST = 1, 99.9


class Outcome(NamedTuple):
    """Numbers of pictures, masses and folds, and of masses that lie completely outside their pictures."""

    pictures: int
    masses: int
    folds: int
    outside: int


def convert(
    results: Path, dataset: str, layout: str, out: Path, bits: int, workers: int, tell: TextIO
) -> Outcome:
    """Write a data set; pictures that an earlier call wrote are kept, and its folds are written anew.

    Parameters
    ----------
    results : Path
        The folder ``results`` of a study.
    dataset : str
        One of its data sets.
    layout : str
        One of `LAYOUTS`; several layouts can share a folder, and its pictures.
    out : Path
        The folder to write to: none, an empty one, or one of an earlier call.
    bits : int
        One of `BITS`.
    workers : int
        Pictures that are written at the same time.
    tell : file
        Where the progress is reported.

    Raises
    ------
    ValueError
        As `study_results.read`; or when the folder has other files, or pictures of other images or options.
    """
    study = study_results.read(results, dataset)
    pictures = described(study.described, bits)
    _begin(out, pictures)
    waiting = [
        row for row in pictures.itertuples(index=False) if not annotations.picture(out, row.number).is_file()
    ]
    countdown = Countdown(len(waiting), "pictures", tell)
    try:
        for _ in pool.ordered(partial(_draw, study, out), waiting, workers):
            countdown.step()
    finally:
        if waiting:
            countdown.end()
    boxes = boxes_of(study, pictures)
    _write_folds(annotations.Annotated(pictures, boxes, _numbered(study.splits, pictures)), layout, out)
    lesions = study.lesions["image_id"].isin(pictures["image_id"]).sum()
    return Outcome(len(pictures), len(boxes), study.splits["fold"].nunique(), int(lesions) - len(boxes))


def described(images: Mapping[str, Described], bits: int) -> pd.DataFrame:
    """Table ``pictures`` of images, numbered from 1 in their order."""
    rows = [
        {"number": number, "image_id": image_id, "bits": bits, "pixels_sha256": each.pixels_sha256}
        | each.geometry.to_attributes()
        for number, (image_id, each) in enumerate(images.items(), start=1)
    ]
    return PICTURES.check(pd.DataFrame(rows))


def boxes_of(study: StudyResults, pictures: pd.DataFrame) -> pd.DataFrame:
    """Masses in pixels of their pictures.

    Returns
    -------
    pandas.DataFrame
        number of the picture, y0, x0, y1 and x1 (float, half-open). A mass that extends beyond its picture
        is clipped; one without a pixel in it is left out.
    """
    numbers = pictures.set_index("image_id")["number"]
    tables = [
        pd.DataFrame(
            to_picture(lesions[BOX].to_numpy(), study.described[image_id].geometry), columns=BOX
        ).assign(number=numbers[image_id])
        for image_id, lesions in study.lesions.groupby("image_id")
        if image_id in numbers.index
    ]
    columns = ["number", *BOX]
    return pd.concat(tables, ignore_index=True)[columns] if tables else pd.DataFrame(columns=columns)


def to_picture(boxes: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Boxes of an original image that have a pixel in the crop, clipped to it, in pixels of the picture.

    Parameters
    ----------
    boxes : (n, 4) array
        y0, x0, y1, x1, half-open, original pixels.
    geometry : Geometry
        Of the stored image.

    Returns
    -------
    (m, 4) float64 ndarray
        Not rounded, so that `Geometry.to_original` gives the clipped boxes exactly.
    """
    y0, x0, y1, x1 = boxes.T
    inside = (y0 < geometry.y1) & (geometry.y0 < y1) & (x0 < geometry.x1) & (geometry.x0 < x1)
    return geometry.to_stored(geometry.within_crop(boxes[inside]))


def grey(image: StoredImage, bits: int) -> np.ndarray:
    """Pixels of a picture.

    Parameters
    ----------
    image : StoredImage
        The stored image.
    bits : {8, 16}
        With 16, the stored grey values. With 8, a linear scale of each image: 1 % of the breast's pixels are
        0, and 0.1 % are 255.

    Returns
    -------
    (m, n) uint8 or uint16 ndarray
    """
    if bits == 16:
        return image.pixels
    breast = image.pixels[image.breast] if image.breast.any() else image.pixels
    low, high = np.percentile(breast, [_DARKEST, _BRIGHTEST])
    share = (image.pixels.astype(np.float32) - low) / max(high - low, 1)
    return np.rint(255 * share.clip(0, 1)).astype(np.uint8)


def _draw(study: StudyResults, out: Path, row: NamedTuple) -> None:
    pixels = grey(study.store[row.image_id], row.bits)
    with storage.whole(annotations.picture(out, row.number)) as temporary:
        Image.fromarray(pixels).save(temporary, compress_level=3)


def _write_folds(annotated: annotations.Annotated, layout: str, out: Path) -> None:
    """Write a layout, and those of earlier calls again: the folds may have changed since."""
    before = annotations.fold_files(out)
    for path in (path for paths in before.values() for path in paths):
        path.unlink()
    for name, write in LAYOUTS.items():
        if name == layout or before[name]:
            write(annotated, out)


def _numbered(splits: pd.DataFrame, pictures: pd.DataFrame) -> pd.DataFrame:
    """Splits with the number of the picture in place of the identifiers."""
    numbers = pictures.set_index("image_id")["number"]
    return splits.assign(number=splits["image_id"].map(numbers))[["number", "fold", "role"]]


def _begin(out: Path, pictures: pd.DataFrame) -> None:
    """Write the table of pictures, or refuse a folder of something else."""
    path = out / annotations.TABLE
    if path.is_file():
        _require_same(PICTURES.read(path), pictures, out)
        return
    visible = out.is_dir() and any(not path.name.startswith(".") for path in out.iterdir())
    if visible or (out.exists() and not out.is_dir()):
        raise ValueError(f"{out}: expected an empty folder or one of an earlier conversion, got other files")
    PICTURES.write(pictures, path)


def _require_same(before: pd.DataFrame, now: pd.DataFrame, out: Path) -> None:
    differing = [
        column
        for column in PICTURES.columns
        if len(before) == len(now) and not _equal(before[column], now[column])
    ]
    if len(before) != len(now) or differing:
        what = (
            f"{len(before)} pictures for {len(now)}"
            if not differing
            else f"another {' and '.join(differing)}"
        )
        raise ValueError(
            f"{out}: expected a conversion of this data set with these options, got one with {what}; "
            "choose another folder with --out"
        )


def _equal(before: pd.Series, now: pd.Series) -> bool:
    """Whether two columns are equal; a CSV file may change the last digit of a float."""
    return np.allclose(before, now, rtol=1e-12, atol=0) if before.dtype == float else before.equals(now)
