"""Detections from other systems, evaluated on the same lesions as ours."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from mammoflow.base import coco, user_tables
from mammoflow.base.boxes import BOX
from mammoflow.base.contracts.detections import EXTERNAL
from mammoflow.evaluation.folds import Fold, folds_of


def read(path: str | Path) -> pd.DataFrame:
    """Boxes of another system from a user's file.

    Parameters
    ----------
    path : str or Path
        COCO results, by its suffix ``.json``, with the image_id of the study as ``image_id``; or a table as
        in `user_tables.read_as`.

    Returns
    -------
    pandas.DataFrame
        Table ``external``.

    Raises
    ------
    ValueError
        When the file is neither.
    """
    if Path(path).suffix.lower() == ".json":
        return EXTERNAL.check(coco.results(coco.read(path), str(path)), origin=str(path))
    return user_tables.read_as(EXTERNAL, path)


def check(
    boxes: pd.DataFrame, images: pd.DataFrame, splits: pd.DataFrame, origin: str = "external detections"
) -> pd.DataFrame:
    """Check that external boxes can be evaluated.

    Parameters
    ----------
    boxes : pandas.DataFrame
        Table ``external``: image_id, ``(y0, x0, y1, x1)`` half-open in pixels of the original image, and a
        score, higher for more suspicious. An image without a row has no box.
    images, splits : pandas.DataFrame
        Tables of the data set.
    origin : str
        Source of the boxes, for the message.

    Returns
    -------
    pandas.DataFrame
        The same rows.

    Raises
    ------
    ValueError
        For an image that is not in the data set or not tested by any fold; a score or coordinate that is
        not a finite number; a box without positive height and width; a box completely outside its image.
    """
    rows = boxes.reset_index(drop=True)
    known = rows["image_id"].isin(images["image_id"])
    _refuse(rows[~known], f"{origin}: expected images of the data set ({len(images)} images)")
    tested = rows["image_id"].isin(splits.loc[splits["role"] == "test", "image_id"])
    _refuse(rows[~tested], f"{origin}: expected images that a fold tests, got boxes on one that none does")
    _refuse(rows[~np.isfinite(rows["score"])], f"{origin}: expected a finite number as score")
    _refuse(rows[~np.isfinite(rows[BOX]).all(axis=1)], f"{origin}: expected finite coordinates")
    upright = (rows["y0"] < rows["y1"]) & (rows["x0"] < rows["x1"])
    _refuse(rows[~upright], f"{origin}: expected boxes with y0 < y1 and x0 < x1")
    size = images.set_index("image_id").loc[rows["image_id"], ["rows", "columns"]].to_numpy()
    lower, upper = rows[["y0", "x0"]].to_numpy(), rows[["y1", "x1"]].to_numpy()
    touching = ((lower < size) & (upper > 0)).all(axis=1)
    _refuse(rows[~touching], f"{origin}: expected boxes in pixels of the original image, got one outside it")
    return boxes


def _refuse(rows: pd.DataFrame, expected: str) -> None:
    """Error that shows the first of the rows, with its line number in the user's file."""
    if rows.empty:
        return
    first = rows.iloc[0]
    cells = ", ".join(f"{name} {first[name]:g}" for name in (*BOX, "score"))
    more = f" (and {len(rows) - 1} more rows)" if len(rows) > 1 else ""
    raise ValueError(f"{expected}; line {first.name + 2} has image '{first['image_id']}', {cells}{more}")


def folds(
    boxes: pd.DataFrame,
    splits: pd.DataFrame,
    lesions: pd.DataFrame,
    images: pd.DataFrame,
    contours: pd.DataFrame | None = None,
) -> Iterator[Fold]:
    """Folds of a data set with the external boxes on the test images of each fold.

    Parameters
    ----------
    boxes : pandas.DataFrame
        The result of `check`.
    splits, lesions, images, contours
        See `folds.fold_of`.
    """
    tests = (rows[rows["role"] == "test"] for _, rows in splits.groupby("fold"))
    detections = (boxes[boxes["image_id"].isin(test["image_id"])] for test in tests)
    return folds_of(splits, lesions, detections, images, contours)
