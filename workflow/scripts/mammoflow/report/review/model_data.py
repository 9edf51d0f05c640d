"""Collects what the review page shows of a model: boxes, matches, FROC points and maps."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from mammoflow.base.boxes import BOX
from mammoflow.breasts.geometry import Geometry
from mammoflow.detection import mpm
from mammoflow.evaluation.definitions import MODES, Definition, Evaluation
from mammoflow.evaluation.folds import Fold
from mammoflow.evaluation.matching import Boxes
from mammoflow.report.review import lifetimes
from mammoflow.report.review.javascript import packed
from mammoflow.report.review.lifetimes import Lifetimes

_COUNTS = ("hits", "targets", "false_positives", "images")


def modes(
    folds: Sequence[Fold],
    boxes: Sequence[Mapping[str, Boxes]],
    cases: pd.DataFrame,
    geometries: Sequence[Geometry],
    evaluation: Evaluation,
) -> dict[str, dict[str, object]]:
    """Boxes and matches in each mode, as `mode` gives them.

    Parameters
    ----------
    folds : sequence of Fold
        All folds of the data set. The lesions are those that the evaluation counts.
    boxes : sequence of mapping of str to Boxes
        Of each fold, in each mode; see `matching`.
    cases : pandas.DataFrame
        A ``cases`` table.
    geometries : sequence of Geometry
        Of each case.
    evaluation : Evaluation
        The settings.
    """
    row = pd.Series(range(len(cases)), index=pd.MultiIndex.from_frame(cases[["fold", "image_id"]]))
    numbers = np.concatenate(
        [row.loc[[(fold.number, image) for image in fold.images["image_id"]]].to_numpy() for fold in folds]
    )
    definitions = {mode: replace(evaluation.definition, mode=mode) for mode in MODES}
    return {
        mode: _mode(
            lifetimes.of_folds(folds, [each[mode] for each in boxes], definition), numbers, geometries
        )
        for mode, definition in definitions.items()
    }


def _mode(found: Lifetimes, numbers: np.ndarray, geometries: Sequence[Geometry]) -> dict[str, object]:
    """Boxes and matches of one mode, sorted by image, in stored pixels.

    Parameters
    ----------
    found : Lifetimes
        Of one mode.
    numbers : (images,) int array
        Number on the page of each image of all folds, one fold after the other.
    geometries : sequence of Geometry
        Of each image, by its number on the page.

    Returns
    -------
    dict
        ``thresholds``, and columns of ``boxes`` and ``matches``. Their ``offsets`` are the first row of each
        image, and the number of rows in the end.
    """
    boxes, matches = (_placed(table, numbers, geometries) for table in (found.boxes, found.matches))
    return {
        "thresholds": packed(found.thresholds),
        "boxes": _columns(boxes, len(numbers), ["on_lesion"])
        | {"score": packed(boxes["score"].to_numpy(np.float32))},
        "matches": _columns(matches, len(numbers), ["lesion"]),
    }


def _placed(table: pd.DataFrame, numbers: np.ndarray, geometries: Sequence[Geometry]) -> pd.DataFrame:
    """Rows with the number of their image, sorted by it, and their boxes in whole stored pixels."""
    table = table.assign(number=numbers[table["image"]])
    table = table.sort_values(["number", "start"], kind="stable", ignore_index=True)
    boxes = table[BOX].to_numpy(float, copy=True)
    for number, rows in table.groupby("number").indices.items():
        boxes[rows] = geometries[number].to_stored(boxes[rows])
    table[BOX] = np.rint(boxes).clip(0).astype(int)
    return table


def _columns(table: pd.DataFrame, images: int, more: Sequence[str]) -> dict[str, object]:
    offsets = np.searchsorted(table["number"], np.arange(images + 1))
    columns = {name: packed(table[name].to_numpy()) for name in (*BOX, "start", "stop", *more)}
    return {"offsets": packed(offsets)} | columns


def points(points: pd.DataFrame, pooled: pd.DataFrame, definition: Definition) -> dict[str, object]:
    """The evaluation's own FROC points, pooled over folds and of each fold.

    Parameters
    ----------
    points, pooled : pandas.DataFrame
        Tables ``froc-points`` and ``froc-pooled`` of the model.
    definition : Definition
        In the mode to show.

    Returns
    -------
    dict
        By ``all`` or the number of a fold; without the first point, which has no box and no threshold.
    """
    each = {"all": definition.rows(pooled)} | {
        str(fold): rows for fold, rows in definition.rows(points).groupby("fold")
    }
    return {name: _finite(rows) for name, rows in each.items()}


def _finite(rows: pd.DataFrame) -> dict[str, object]:
    rows = rows[np.isfinite(rows["threshold"])]
    return {name: packed(rows[name].to_numpy()) for name in ("threshold", *_COUNTS)}


def maps(paths: Sequence[str | Path], cases: pd.DataFrame) -> tuple[list[dict[str, object]], list[Geometry]]:
    """Map and geometry of each case.

    Parameters
    ----------
    paths : sequence of paths
        Maps of all folds; see `mpm.open_folds`.
    cases : pandas.DataFrame
        A ``cases`` table.
    """
    folds, grids, geometries = mpm.open_folds(paths, cases["fold"].nunique()), [], []
    for case in cases.itertuples():
        grid = folds[case.fold][case.image_id]
        grids.append(_grid(grid))
        geometries.append(grid.geometry)
    return grids, geometries


def _grid(grid: mpm.Grid) -> dict[str, object]:
    """Probabilities of the windows in 255 steps, and the places of their centres."""
    return {
        "y": packed(grid.centres_y.astype(np.float32)),
        "x": packed(grid.centres_x.astype(np.float32)),
        "levels": packed(np.rint(255 * grid.probabilities).astype(np.uint8).ravel()),
    }
