"""Chooses the example images of figures by fixed rules, and judges each box on them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from mammoflow.base.boxes import BOX
from mammoflow.base.contracts.detections import CANDIDATES, DETECTIONS
from mammoflow.base.shards import by_fold
from mammoflow.evaluation import matching
from mammoflow.evaluation.definitions import Definition
from mammoflow.evaluation.folds import Fold, folds_of

TRUE, FALSE, DUPLICATE = "true positive", "false positive", "duplicate"
CORRECT, WRONG, MISSED = "correct", "false positive", "missed"


@dataclass(frozen=True)
class Example:
    """One image of a figure.

    Attributes
    ----------
    kind : {"correct", "false positive", "missed"}
        What it shows.
    fold : int
        The fold that tests the image.
    image_id, patient_id : str
    """

    kind: str
    fold: int
    image_id: str
    patient_id: str


def operating_threshold(points: pd.DataFrame, fpi: float = 1.0) -> float:
    """Threshold with the highest mean TPR at no more than a mean FPI, one for all folds.

    Parameters
    ----------
    points : pandas.DataFrame
        Table ``froc-points`` of one definition.
    fpi : float
        Most false positives per image, averaged over folds.

    Returns
    -------
    float
        The highest such threshold; infinite where no threshold does better than no box at all.
    """
    thresholds = np.unique(points["threshold"])[::-1]
    at = [_at(fold, thresholds) for _, fold in points.groupby("fold")]
    if not at:
        return float("inf")
    mean_tpr, mean_fpi = np.mean(at, axis=0)
    return float(thresholds[np.where(mean_fpi <= fpi, mean_tpr, -1).argmax()])


def _at(fold: pd.DataFrame, thresholds: np.ndarray) -> np.ndarray:
    """TPR and FPI of one fold at any thresholds, (2, t); between listed ones nothing changes."""
    fold = fold.sort_values("threshold", kind="stable")
    rows = np.searchsorted(fold["threshold"], thresholds, side="left")
    return fold[["tpr", "fpi"]].to_numpy()[rows].T


class Findings(NamedTuple):
    """What a model finds at one threshold.

    ``boxes`` and ``missed`` are as `examine` gives them; ``folds`` have the detections that are needed for
    them and no others.
    """

    threshold: float
    folds: list[Fold]
    boxes: pd.DataFrame
    missed: pd.DataFrame


def findings(
    points: pd.DataFrame,
    splits: pd.DataFrame,
    lesions: pd.DataFrame,
    images: pd.DataFrame,
    boxes: Sequence[str | Path],
    definition: Definition,
) -> Findings:
    """What a model finds at its `operating_threshold`.

    Parameters
    ----------
    points : pandas.DataFrame
        Table ``froc-points`` of the model.
    splits, lesions, images : pandas.DataFrame
        Tables of the data set.
    boxes : sequence of paths
        Tables of all folds (see `by_fold`): ``detections`` for mode ``paper``, of which only what is alive
        at the threshold is read, and ``candidates`` for the other mode.
    definition : Definition
        What counts as a hit.
    """
    threshold = operating_threshold(definition.rows(points))
    of_folds = by_fold(boxes, splits["fold"].nunique())
    read = (read_boxes(paths, definition.mode, "threshold", threshold) for paths in of_folds)
    folds = list(folds_of(splits, lesions, read, images))
    return Findings(threshold, folds, *examine(folds, threshold, definition))


def read_boxes(paths: Sequence[str | Path], mode: str, column: str, value: object) -> pd.DataFrame:
    """Boxes of a fold with one value in a column; candidates have no thresholds of their own.

    Parameters
    ----------
    paths : sequence of paths
        The ``detections`` tables of the fold for mode ``paper``, or its one table of ``candidates``.
    mode : {"paper", "candidate"}
        As in `evaluation`.
    column : str
        A column of the former.
    value : object
        Its value.
    """
    if mode == "paper":
        return DETECTIONS.read_all(paths, filters=[(column, "==", value)])
    boxes = CANDIDATES.read_all(paths)
    return boxes[boxes[column] == value] if column in boxes else boxes


def boxes_at(boxes: pd.DataFrame, threshold: float, mode: str) -> pd.DataFrame:
    """Boxes alive at a threshold.

    Parameters
    ----------
    boxes : pandas.DataFrame
        A ``detections`` table, or ``candidates``.
    threshold : float
        One of the thresholds of the former.
    mode : {"paper", "candidate"}
        As in `evaluation`.
    """
    return boxes[boxes["threshold"] == threshold if mode == "paper" else boxes["score"] >= threshold]


def judge(
    boxes: pd.DataFrame, lesions: pd.DataFrame, definition: Definition
) -> tuple[pd.DataFrame, np.ndarray]:
    """What each box of one image is.

    Parameters
    ----------
    boxes, lesions : pandas.DataFrame
        Of one image, with columns y0, x0, y1 and x1.
    definition : Definition
        What counts as a hit.

    Returns
    -------
    boxes : pandas.DataFrame
        With a column ``verdict``: ``true positive``, ``false positive`` or ``duplicate``.
    hit : (lesions,) bool array
    """
    linked, iou = matching.links(boxes[BOX].to_numpy(int), lesions[BOX].to_numpy(int), definition)
    lesion = matching.assign(linked, iou)
    ignored = linked.any(axis=1) & (definition.duplicates == "ignore")
    verdict = np.where(lesion >= 0, TRUE, np.where(ignored, DUPLICATE, FALSE))
    return boxes.assign(verdict=verdict), np.isin(np.arange(len(lesions)), lesion)


def examine(
    folds: Sequence[Fold], threshold: float, definition: Definition
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Boxes of all test images with their verdicts, and the masses that were missed.

    Parameters
    ----------
    folds : sequence of Fold
        Their ``detections`` are the boxes of the mode of `definition`.
    threshold : float
        See `operating_threshold`.
    definition : Definition
        What counts as a hit.

    Returns
    -------
    boxes : pandas.DataFrame
        Columns of these and fold, patient_id, verdict.
    missed : pandas.DataFrame
        Rows of ``lesions`` with fold and patient_id.
    """
    judged, missed = [], []
    for fold in folds:
        boxes = dict(iter(boxes_at(fold.detections, threshold, definition.mode).groupby("image_id")))
        lesions = dict(iter(fold.lesions.groupby("image_id")))
        for image_id, patient_id in fold.images[["image_id", "patient_id"]].itertuples(index=False):
            who = {"fold": fold.number, "patient_id": patient_id}
            its = lesions.get(image_id, fold.lesions[:0])
            with_verdict, hit = judge(boxes.get(image_id, fold.detections[:0]), its, definition)
            judged.append(with_verdict.assign(**who))
            missed.append(its[~hit].assign(**who))
    return pd.concat(judged, ignore_index=True), pd.concat(missed, ignore_index=True)


def choose(boxes: pd.DataFrame, missed: pd.DataFrame, numbers: Mapping[str, int]) -> list[Example]:
    """The most confident hits and false positives, and the largest missed masses.

    No image is shown twice, and no patient twice under one kind. Ties go by image_id.

    Parameters
    ----------
    boxes, missed : pandas.DataFrame
        Of `examine`.
    numbers : mapping of str to int
        Examples wanted of each kind, in this order; there may be fewer.
    """
    by_score = boxes.sort_values(["score", "image_id"], ascending=[False, True], kind="stable")
    ranked = {
        CORRECT: by_score[by_score["verdict"] == TRUE],
        WRONG: by_score[by_score["verdict"] == FALSE],
        MISSED: missed.sort_values(["area_px", "image_id"], ascending=[False, True], kind="stable"),
    }
    chosen: list[Example] = []
    for kind, number in numbers.items():
        images = {example.image_id for example in chosen}
        rows = ranked[kind]
        rows = rows[~rows["image_id"].isin(images)].drop_duplicates("patient_id")[:number]
        chosen += [
            Example(kind, *row) for row in rows[["fold", "image_id", "patient_id"]].itertuples(index=False)
        ]
    return chosen


def boxes_on(example: Example, boxes: pd.DataFrame) -> pd.DataFrame:
    """Rows of the boxes of `examine` that lie on the image of an example, in its fold."""
    return boxes[(boxes["image_id"] == example.image_id) & (boxes["fold"] == example.fold)]


def one(boxes: pd.DataFrame, missed: pd.DataFrame, folds: Sequence[Fold]) -> Example:
    """One image: a correct detection, else a missed mass, else a false positive, else the first."""
    chosen = choose(boxes, missed, {CORRECT: 1, MISSED: 1, WRONG: 1})
    first = folds[0].images.iloc[0]
    return [*chosen, Example("", folds[0].number, first["image_id"], first["patient_id"])][0]
