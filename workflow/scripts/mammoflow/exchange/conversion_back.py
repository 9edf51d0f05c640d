"""Turns boxes on converted pictures into boxes on the original images."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mammoflow.base import coco
from mammoflow.base.boxes import BOX
from mammoflow.base.contracts.converted import PICTURES
from mammoflow.base.contracts.detections import EXTERNAL
from mammoflow.breasts.geometry import Geometry
from mammoflow.exchange import annotations


def boxes(results: Sequence[Path], converted: Path) -> pd.DataFrame:
    """Boxes on original images from COCO results on converted pictures.

    Parameters
    ----------
    results : sequence of Path
        COCO results; ``image_id`` is the number of a picture, or its file's name without suffix.
    converted : Path
        Folder that `conversion.convert` wrote.

    Returns
    -------
    pandas.DataFrame
        Table ``external``: whole pixels, within the image, each box at least one pixel wide and high.

    Raises
    ------
    ValueError
        When the folder is another one, a file holds no COCO results or a box on an unknown picture, or two
        files have boxes on the same picture.
    """
    pictures = _pictures(converted)
    names = dict(zip(pictures["number"], pictures["image_id"], strict=True))
    names |= {annotations.picture(converted, number).stem: image_id for number, image_id in names.items()}
    tables = [coco.results(coco.read(path), str(path), names) for path in results]
    _require_apart(tables, results)
    found = pd.concat(tables, ignore_index=True)
    places = {row.image_id: annotations.geometry(row) for row in pictures.itertuples(index=False)}
    for image_id, rows in found.groupby("image_id"):
        found.loc[rows.index, BOX] = _original(rows, places[image_id])
    return EXTERNAL.check(found)


def _pictures(converted: Path) -> pd.DataFrame:
    path = converted / annotations.TABLE
    if not path.is_file():
        raise ValueError(
            f"{converted}: expected a folder that 'mammoflow convert' wrote, got one without {path.name}"
        )
    return PICTURES.read(path)


def _require_apart(tables: Sequence[pd.DataFrame], results: Sequence[Path]) -> None:
    """Refuse boxes of two files on one image: of two folds, at most one tests it."""
    seen: dict[str, Path] = {}
    for table, path in zip(tables, results, strict=True):
        for image_id in table["image_id"].unique():
            if image_id in seen:
                raise ValueError(
                    f"{path}: expected boxes on pictures that no other file has boxes on, got image "
                    f"'{image_id}', which is in {seen[image_id]} too; give each fold's results on its test "
                    "part alone"
                )
            seen[image_id] = path


def _original(rows: pd.DataFrame, place: Geometry) -> pd.DataFrame:
    """Boxes in original pixels; one that rounding or the edge of the image would end keeps a pixel."""
    whole = Geometry(place.rows, place.columns, 0, 0, place.rows, place.columns, False, 1.0)
    table = pd.DataFrame(whole.within_crop(place.to_original(rows[BOX])), columns=BOX, index=rows.index)
    table["y1"] = table["y1"].clip(lower=table["y0"] + 1)
    table["x1"] = table["x1"].clip(lower=table["x0"] + 1)
    return table.astype(float)
