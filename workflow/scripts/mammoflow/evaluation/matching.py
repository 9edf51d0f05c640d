"""Matches boxes to lesions at each threshold and counts hits and false positives.

At each threshold, the boxes present at this threshold are matched one to one to lesions, first for the
largest number of hits and then for the largest total intersection over union (IoU). An unmatched box that
hits a lesion is a duplicate: neither a true nor a false positive, unless the definition counts duplicates
as ``false-positive``. All other boxes are false positives. Matching all boxes once, without thresholds,
would be wrong: a box with a high score would become a false positive if a box with a low score overlapped
the lesion more.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from mammoflow.base.boxes import BOX, overlap
from mammoflow.evaluation.definitions import Definition
from mammoflow.evaluation.folds import Fold, rows_of


@dataclass(frozen=True)
class Boxes:
    """The n boxes of a fold, and the thresholds at which each is alive (present).

    Attributes
    ----------
    thresholds : (t,) float array
        Descending.
    image : (n,) int array
        Index of the image of each box.
    boxes : (n, 4) array
        ``(y0, x0, y1, x1)``, half-open.
    start, stop : (n,) int arrays
        A box is alive at ``thresholds[start:stop]``.
    score : (n,) float array
        Score of each box.
    """

    thresholds: np.ndarray
    image: np.ndarray
    boxes: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    score: np.ndarray


@dataclass(frozen=True)
class Matches:
    """Hits and false positives in a fold at each of t thresholds.

    Attributes
    ----------
    thresholds : (t,) float array
        Descending.
    hit : (t, lesions) bool array
        Which lesions are matched.
    false_positives : (t, images) int array
        Number of false positives in each image.
    """

    thresholds: np.ndarray
    hit: np.ndarray
    false_positives: np.ndarray


def alive(detections: pd.DataFrame, image_ids: Sequence[str]) -> Boxes:
    """Boxes of mode ``paper``: each row of a ``detections`` table is alive at its own threshold.

    Parameters
    ----------
    detections : pandas.DataFrame
        Columns image_id, threshold, y0, x0, y1, x1, score. An image without a row for a threshold has no
        box at this threshold.
    image_ids : sequence of str
        All images of the fold.

    Raises
    ------
    ValueError
        When a detection lies in an image that is not listed.
    """
    image = rows_of(detections["image_id"], image_ids, "detections")
    boxes = detections[BOX].to_numpy(int)
    thresholds, rank = _ranks(detections["threshold"])
    # Join the rows of a box at successive thresholds to one range of thresholds.
    goes_on = (np.diff(image) == 0) & np.all(boxes[1:] == boxes[:-1], axis=1) & (np.diff(rank) == 1)
    begins = np.flatnonzero(np.append(True, ~goes_on)[: len(rank)])
    ends = np.append(begins[1:], len(rank))[: len(begins)] - 1
    return Boxes(
        thresholds=thresholds[::-1],
        image=image[begins],
        boxes=boxes[begins],
        start=len(thresholds) - 1 - rank[ends],
        stop=len(thresholds) - rank[begins],
        score=detections["score"].to_numpy(float)[begins],
    )


def scored(boxes: pd.DataFrame, image_ids: Sequence[str]) -> Boxes:
    """Boxes of mode ``candidate``: alive at every threshold up to and including their score.

    Parameters
    ----------
    boxes : pandas.DataFrame
        Columns image_id, y0, x0, y1, x1, score: candidates or boxes of an external system.
    image_ids : sequence of str
        All images of the fold.

    Raises
    ------
    ValueError
        When a box lies in an image that is not listed.
    """
    image = rows_of(boxes["image_id"], image_ids, "detections")
    thresholds, rank = _ranks(boxes["score"])
    return Boxes(
        thresholds=thresholds[::-1],
        image=image,
        boxes=boxes[BOX].to_numpy(float),
        start=len(thresholds) - 1 - rank,
        stop=np.full(len(boxes), len(thresholds)),
        score=boxes["score"].to_numpy(float),
    )


def of_maps(fold: Fold) -> dict[str, Boxes]:
    """Boxes in each mode, for a fold whose detections are components of maps."""
    image_ids = fold.images["image_id"]
    return {
        "paper": alive(fold.detections, image_ids),
        "candidate": scored(fold.candidates, image_ids),
    }


def of_scores(fold: Fold) -> dict[str, Boxes]:
    """Boxes in the only possible mode, for a fold whose detections are fixed boxes with scores."""
    return {"candidate": scored(fold.detections, fold.images["image_id"])}


def _ranks(values: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Distinct values in ascending order, and the rank of each value among them, (n,) int."""
    values = values.to_numpy(float)
    distinct = np.unique(values)
    return distinct, np.searchsorted(distinct, values)


def centred(boxes: np.ndarray, lesions: np.ndarray) -> np.ndarray:
    """Whether the centre of each of n boxes lies in the box of each of m lesions, (n, m) bool.

    Examples
    --------
    >>> centred(np.array([[0, 0, 4, 4]]), np.array([[2, 2, 3, 3], [0, 0, 2, 2]]))
    array([[ True, False]])
    """
    boxes, lesions = np.asarray(boxes)[:, None], np.asarray(lesions)[None]
    centres = (boxes[..., :2] + boxes[..., 2:]) / 2
    return ((lesions[..., :2] <= centres) & (centres < lesions[..., 2:])).all(axis=-1)


def links(boxes: np.ndarray, lesions: np.ndarray, definition: Definition) -> tuple[np.ndarray, np.ndarray]:
    """Which of n boxes hit which of m lesions, (n, m) bool, and their IoU, (n, m) float.

    Parameters
    ----------
    boxes, lesions : (n, 4) and (m, 4) arrays
        ``(y0, x0, y1, x1)``, half-open.
    definition : Definition
        Provides the hit rule.
    """
    iou = overlap(boxes, lesions)
    if definition.hit == "centre-in-box":
        return centred(boxes, lesions), iou
    return (iou > definition.iou if definition.hit == "iou-above" else iou >= definition.iou), iou


def assign(hits: np.ndarray, iou: np.ndarray) -> np.ndarray:
    """Match boxes to lesions one to one: the most hits first, then the largest total IoU.

    Parameters
    ----------
    hits : (n, m) bool array
        Which of n boxes may be matched to which of m lesions; see `links`.
    iou : (n, m) float array
        See `overlap`.

    Returns
    -------
    (n,) int array
        Lesion of each box, -1 for none.

    Examples
    --------
    >>> iou = np.array([[0.6, 0.5], [0.9, 0.0]])
    >>> assign(iou > 0.2, iou)
    array([1, 0])
    """
    # One more hit outweighs any total IoU.
    box, lesion = linear_sum_assignment(np.where(hits, iou + iou.shape[1] + 1, 0), maximize=True)
    assigned = np.full(len(iou), -1)
    assigned[box] = np.where(hits[box, lesion], lesion, -1)
    return assigned


def match(boxes: Boxes, lesions: pd.DataFrame, image_ids: Sequence[str], definition: Definition) -> Matches:
    """Hits and false positives of a fold at every threshold.

    Parameters
    ----------
    boxes : Boxes
        The result of `alive` or `scored`.
    lesions : pandas.DataFrame
        Columns image_id, y0, x0, y1, x1; may be empty.
    image_ids : sequence of str
        All images of the fold.
    definition : Definition
        Provides the hit rule and the treatment of duplicates.

    Raises
    ------
    ValueError
        When a lesion lies in an image that is not listed.
    """
    count = len(boxes.thresholds)
    lesion_image = rows_of(lesions["image_id"], image_ids, "lesions")
    lesion_boxes = lesions[BOX].to_numpy(float)
    hit = np.zeros((count, len(lesions)), bool)
    on_lesion = np.zeros(len(boxes.image), bool)
    for image in np.unique(lesion_image):
        here, marked = np.flatnonzero(boxes.image == image), np.flatnonzero(lesion_image == image)
        linked, iou = links(boxes.boxes[here], lesion_boxes[marked], definition)
        on_lesion[here] = linked.any(axis=1)
        touching = here[on_lesion[here]]
        hit[:, marked] = _hits(
            linked[on_lesion[here]],
            iou[on_lesion[here]],
            boxes.start[touching],
            boxes.stop[touching],
            count,
        )
    shape = (count, len(image_ids))
    if definition.duplicates == "ignore":
        free = ~on_lesion
        false_positives = _population(boxes.image[free], boxes.start[free], boxes.stop[free], shape)
    else:
        false_positives = _population(boxes.image, boxes.start, boxes.stop, shape)
        np.subtract.at(false_positives, (slice(None), lesion_image), hit.astype(int))
    return Matches(boxes.thresholds, hit, false_positives)


def _population(column: np.ndarray, start: np.ndarray, stop: np.ndarray, shape: tuple) -> np.ndarray:
    """Number of boxes alive at each threshold in each column, (t, columns) int."""
    change = np.zeros((shape[0] + 1, shape[1]), int)
    np.add.at(change, (start, column), 1)
    np.subtract.at(change, (stop, column), 1)
    return np.cumsum(change, axis=0)[:-1]


def _hits(linked: np.ndarray, iou: np.ndarray, start: np.ndarray, stop: np.ndarray, count: int) -> np.ndarray:
    """Which lesions of one image are hit at each threshold, (t, m) bool; every box hits a lesion."""
    if (linked.sum(axis=1) <= 1).all():
        # Without any choice in the matching, a lesion is hit while any box on it is alive.
        box, lesion = np.nonzero(linked)
        return _population(lesion, start[box], stop[box], (count, linked.shape[1])) > 0
    hit = np.zeros((count, linked.shape[1]), bool)
    changes = np.unique(np.concatenate([start, stop]))
    for begin, end in itertools.pairwise(changes):
        there = (start <= begin) & (begin < stop)
        lesion = assign(linked[there], iou[there])
        hit[begin:end, lesion[lesion >= 0]] = True
    return hit
