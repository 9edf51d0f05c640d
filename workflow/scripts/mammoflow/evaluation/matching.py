"""Matches boxes to lesions at each threshold and counts hits and false positives.

At each threshold, the boxes present at this threshold are matched one to one to lesions, first for the
largest number of hits and then for the largest total intersection over union (IoU). An unmatched box that
hits a lesion is a duplicate: neither a true nor a false positive, unless the definition counts duplicates
as ``false-positive``. All other boxes are false positives. Matching all boxes once, without thresholds,
would be wrong: a box with a high score would become a false positive if a box with a low score overlapped
the lesion more.
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_array

from mammoflow.base.boxes import BOX, overlap
from mammoflow.base.contracts.detections import DETECTIONS
from mammoflow.evaluation import changes
from mammoflow.evaluation.definitions import Definition
from mammoflow.evaluation.folds import Fold, rows_by_image, rows_of


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
    """Hits and false positives in a fold at each of t thresholds, stored as `changes`.

    Attributes
    ----------
    thresholds : (t,) float array
        Descending.
    hit : (lesions, t + 1) sparse int array
        Whether each lesion is matched: a count of 0 or 1.
    false_positives : (images, t + 1) sparse int array
        Number of false positives in each image.
    """

    thresholds: np.ndarray
    hit: csr_array
    false_positives: csr_array


def distinct(columns: Iterable[pd.Series]) -> np.ndarray:
    """Distinct numbers of several columns, ascending, (t,) float.

    Parameters
    ----------
    columns : iterable of pandas.Series
        For example the column ``threshold`` of each table of a fold. Only one is in memory at a time.
    """
    # A comprehension would keep a column in memory until the next one is read.
    return np.unique(np.concatenate([[], *map(np.unique, columns)]).astype(float))


def alive(tables: Iterable[pd.DataFrame], thresholds: np.ndarray, image_ids: Sequence[str]) -> Boxes:
    """Boxes of mode ``paper``: each row of a ``detections`` table is alive at its own threshold.

    Parameters
    ----------
    tables : iterable of pandas.DataFrame
        At least one. Columns image_id, threshold, y0, x0, y1, x1, score. All rows of an image are in one
        table. An image without a row for a threshold has no box at this threshold. Only one table is in
        memory at a time: its rows take far more than its boxes.
    thresholds : (t,) float array
        Thresholds of all tables together, ascending; see `distinct`. A box that persists across a threshold
        of another table, without a row for it, is absent there.
    image_ids : sequence of str
        All images of the fold.

    Raises
    ------
    ValueError
        When a detection lies in an image that is not listed, or at a threshold that is not.
    """
    # A comprehension would keep a table in memory until the next one is read.
    parts = map(partial(_alive, thresholds=thresholds, image_ids=image_ids), tables)
    return Boxes(thresholds[::-1], *_concatenated(parts))


def _alive(
    detections: pd.DataFrame, thresholds: np.ndarray, image_ids: Sequence[str]
) -> tuple[np.ndarray, ...]:
    """Attributes of the `Boxes` of one table, without the thresholds."""
    image = rows_of(detections["image_id"], image_ids, "detections")
    boxes = detections[BOX].to_numpy(int)
    rank = pd.Index(thresholds).get_indexer(detections["threshold"])
    if (rank < 0).any():
        unknown = detections["threshold"].to_numpy()[rank < 0][0]
        raise ValueError(f"detections: expected the given {len(thresholds)} thresholds, got {unknown}")
    # Join the rows of a box at successive thresholds to one range of thresholds.
    goes_on = (np.diff(image) == 0) & np.all(boxes[1:] == boxes[:-1], axis=1) & (np.diff(rank) == 1)
    begins = np.flatnonzero(np.append(True, ~goes_on)[: len(rank)])
    ends = np.append(begins[1:], len(rank))[: len(begins)] - 1
    start, stop = len(thresholds) - 1 - rank[ends], len(thresholds) - rank[begins]
    return image[begins], boxes[begins], start, stop, detections["score"].to_numpy(float)[begins]


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
    score = boxes["score"].to_numpy(float)
    thresholds, rank = np.unique(score, return_inverse=True)
    return Boxes(
        thresholds=thresholds[::-1],
        image=image,
        boxes=boxes[BOX].to_numpy(float),
        start=len(thresholds) - 1 - rank,
        stop=np.full(len(boxes), len(thresholds)),
        score=score,
    )


def of_maps(fold: Fold) -> dict[str, Boxes]:
    """Boxes in each mode, for a fold whose detections are components of maps."""
    image_ids = fold.images["image_id"]
    return {
        "paper": alive([fold.detections], distinct([fold.detections["threshold"]]), image_ids),
        "candidate": scored(fold.candidates, image_ids),
    }


def of_files(fold: Fold, paths: Sequence[str | Path]) -> dict[str, Boxes]:
    """Boxes in each mode, for a fold whose components of maps are in several ``detections`` tables.

    Parameters
    ----------
    fold : Fold
        Its detections are not used.
    paths : sequence of paths
        Parquet files of the fold; only one is in memory at a time.
    """
    image_ids = fold.images["image_id"]
    thresholds = distinct(map(_thresholds, paths))
    return {
        "paper": alive(map(DETECTIONS.read, paths), thresholds, image_ids),
        "candidate": scored(fold.candidates, image_ids),
    }


def _thresholds(path: str | Path) -> pd.Series:
    return pd.read_parquet(path, columns=["threshold"])["threshold"]


def of_scores(fold: Fold) -> dict[str, Boxes]:
    """Boxes in the only possible mode, for a fold whose detections are fixed boxes with scores."""
    return {"candidate": scored(fold.detections, fold.images["image_id"])}


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
        ``(y0, x0, y1, x1)``, half-open. Of arrays (n, p, 4) and (m, p, 4), boxes and lesions at the same
        place along the second axis are compared; the results are (n, m, p).
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
    lesion_image = rows_of(lesions["image_id"], image_ids, "lesions")
    lesion_boxes = lesions[BOX].to_numpy(float)
    box, lesion = _pairs(boxes.image, lesion_image)
    linked, _ = links(boxes.boxes[None, box], lesion_boxes[None, lesion], definition)
    box, lesion = box[linked[0, 0]], lesion[linked[0, 0]]
    count = len(boxes.thresholds)
    ranges = _hits(boxes, lesion_image, lesion_boxes, box, lesion, len(image_ids), definition)
    hit = changes.any_of(changes.of_ranges(*ranges, (len(lesions), count)))
    counted = np.ones(len(boxes.image), bool)
    if definition.duplicates == "ignore":
        counted[box] = False
    false_positives = changes.of_ranges(
        boxes.image[counted], boxes.start[counted], boxes.stop[counted], (len(image_ids), count)
    )
    if definition.duplicates == "false-positive":
        false_positives -= changes.grouped(hit, lesion_image, len(image_ids))
    return Matches(boxes.thresholds, hit, false_positives)


def _hits(
    boxes: Boxes,
    lesion_image: np.ndarray,
    lesion_boxes: np.ndarray,
    box: np.ndarray,
    lesion: np.ndarray,
    images: int,
    definition: Definition,
) -> list[np.ndarray]:
    """Lesions that are hit, each with the thresholds ``start:stop``: (hits,) int arrays.

    Boxes and lesions of the same place in ``box`` and ``lesion`` are all pairs that hit.
    """
    lesions_hit = np.bincount(box, minlength=len(boxes.image))
    with_choice = np.unique(boxes.image[lesions_hit > 1])
    # Without any choice in the matching, a lesion is hit while any box on it is alive.
    free = ~np.isin(boxes.image[box], with_choice)
    ranges = [(lesion[free], boxes.start[box[free]], boxes.stop[box[free]])]
    boxes_of, lesions_of = (rows_by_image(each, images) for each in (boxes.image, lesion_image))
    for image in with_choice:
        here, marked = boxes_of[image], lesions_of[image]
        here = here[lesions_hit[here] > 0]
        linked, iou = links(boxes.boxes[here], lesion_boxes[marked], definition)
        found, start, stop = _assigned(linked, iou, boxes.start[here], boxes.stop[here])
        ranges.append((marked[found], start, stop))
    return _concatenated(ranges)


def _pairs(image: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All pairs of rows in the same image, (pairs,) int each, given the image of each row."""
    order = np.argsort(other, kind="stable")
    first, last = (np.searchsorted(other[order], image, side) for side in ("left", "right"))
    number = last - first
    row = np.repeat(np.arange(len(image)), number)
    # Number of each pair among those of its row.
    place = np.arange(len(row)) - (np.cumsum(number) - number)[row]
    return row, order[first[row] + place]


def _assigned(linked: np.ndarray, iou: np.ndarray, start: np.ndarray, stop: np.ndarray) -> list[np.ndarray]:
    """Lesions of one image that are hit, each with the thresholds ``start:stop``: (hits,) int arrays."""
    found = []
    for begin, end in itertools.pairwise(np.unique(np.concatenate([start, stop]))):
        there = (start <= begin) & (begin < stop)
        lesion = assign(linked[there], iou[there])
        lesion = lesion[lesion >= 0]
        found.append((lesion, np.full_like(lesion, begin), np.full_like(lesion, end)))
    return _concatenated(found)


def _concatenated(parts: Iterable[tuple[np.ndarray, ...]]) -> list[np.ndarray]:
    """Each array of all parts together."""
    return [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]
