"""States at which thresholds each box is present, and which mass it hits there: all that the page counts.

The page shows one threshold for all folds, so the thresholds of the folds are joined as in
`froc.pooled`. At each of them, the number of matches that are alive is the evaluation's number of hits, and
the number of boxes that hit nothing is its number of false positives.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from mammoflow.base.boxes import BOX
from mammoflow.evaluation import matching
from mammoflow.evaluation.definitions import Definition
from mammoflow.evaluation.folds import Fold, rows_by_image, rows_of
from mammoflow.evaluation.matching import Boxes


class Lifetimes(NamedTuple):
    """The boxes of a model in one mode.

    Attributes
    ----------
    thresholds : (t,) float array
        Descending; those of all folds.
    boxes : pandas.DataFrame
        ``image`` (row in the images of all folds, one fold after the other), y0, x0, y1, x1 (original
        pixels), ``score``, ``on_lesion`` (whether it hits a lesion by itself), ``start`` and ``stop``: the
        box is present at ``thresholds[start:stop]``. A box that is absent in between is listed again.
    matches : pandas.DataFrame
        ``image``, y0, x0, y1, x1, ``lesion`` (row among the image's lesions), ``start`` and ``stop``: the box
        counts as the hit of the lesion at ``thresholds[start:stop]``.
    """

    thresholds: np.ndarray
    boxes: pd.DataFrame
    matches: pd.DataFrame


def of_folds(folds: Sequence[Fold], boxes: Sequence[Boxes], definition: Definition) -> Lifetimes:
    """Boxes and matches of all folds over common thresholds.

    Parameters
    ----------
    folds : sequence of Fold
        Images and lesions; the tables of detections are not used.
    boxes : sequence of Boxes
        Of each fold, in the mode of the definition.
    definition : Definition
        What counts as a hit.
    """
    thresholds = np.unique(np.concatenate([each.thresholds for each in boxes]))[::-1]
    before = np.cumsum([0, *(len(fold.images) for fold in folds)])
    tables = [
        [
            _on(table, each.thresholds, thresholds, definition.mode).assign(image=table["image"] + images)
            for table in _of_fold(fold, each, definition)
        ]
        for fold, each, images in zip(folds, boxes, before, strict=False)
    ]
    return Lifetimes(
        thresholds, *(pd.concat(parts, ignore_index=True) for parts in zip(*tables, strict=True))
    )


def _of_fold(fold: Fold, boxes: Boxes, definition: Definition) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Boxes and matches of a fold over its own thresholds."""
    lesions = fold.annotated(definition.lesions)
    lesion_image = rows_of(lesions["image_id"], fold.images["image_id"], "lesions")
    on_lesion = np.zeros(len(boxes.image), bool)
    boxes_of, lesions_of = (rows_by_image(each, len(fold.images)) for each in (boxes.image, lesion_image))
    matches = []
    for image in np.unique(lesion_image):
        here, marked = boxes_of[image], lesions_of[image]
        linked, iou = matching.links(boxes.boxes[here], lesions[BOX].to_numpy(int)[marked], definition)
        touching = linked.any(axis=1)
        on_lesion[here] = touching
        here = here[touching]
        matches += [
            (here[box], lesion, start, stop)
            for box, lesion, start, stop in _matches(
                linked[touching], iou[touching], boxes.start[here], boxes.stop[here]
            )
        ]
    table = pd.DataFrame(boxes.boxes, columns=BOX).assign(
        image=boxes.image,
        score=boxes.score,
        on_lesion=on_lesion,
        start=boxes.start,
        stop=boxes.stop,
    )
    found = pd.DataFrame(matches, columns=["box", "lesion", "start", "stop"]).astype(int)
    of_box = table.loc[found["box"], ["image", *BOX]].reset_index(drop=True)
    return table, of_box.join(found.drop(columns="box"))


def _matches(
    linked: np.ndarray, iou: np.ndarray, start: np.ndarray, stop: np.ndarray
) -> list[tuple[int, int, int, int]]:
    """Box, lesion and range of thresholds of each match in one image; every box hits a lesion."""
    running: dict[tuple[int, int], int] = {}
    ended = []
    changes = np.unique(np.concatenate([start, stop]))
    for begin in changes[:-1]:
        there = np.flatnonzero((start <= begin) & (begin < stop))
        lesion = matching.assign(linked[there], iou[there])
        now = set(zip(there[lesion >= 0].tolist(), lesion[lesion >= 0].tolist(), strict=True))
        ended += [(*pair, running.pop(pair), begin) for pair in sorted(running.keys() - now)]
        running |= dict.fromkeys(now - running.keys(), begin)
    return ended + [(*pair, begin, changes[-1]) for pair, begin in sorted(running.items())]


def _on(table: pd.DataFrame, own: np.ndarray, thresholds: np.ndarray, mode: str) -> pd.DataFrame:
    """Rows with ranges of a fold's own thresholds, as ranges of other thresholds that contain these.

    In mode ``candidate``, a box remains at the thresholds between. In mode ``paper``, boxes exist at the
    thresholds of their fold alone, so a range is divided where the fold lacks a threshold.
    """
    place = np.searchsorted(-thresholds, -own)
    if mode == "candidate":
        ends = np.append(place, len(thresholds))
        return table.assign(start=place[table["start"]], stop=ends[table["stop"]])
    # Own thresholds without a gap between them have the same number here.
    stretch = np.cumsum(np.diff(place, prepend=-1) > 1)
    first, last = table["start"].to_numpy(), table["stop"].to_numpy() - 1
    pieces = stretch[last] - stretch[first] + 1
    rows = np.repeat(np.arange(len(table)), pieces)
    number = stretch[first][rows] + np.arange(len(rows)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    begins = np.searchsorted(stretch, number, side="left")
    ends = np.searchsorted(stretch, number, side="right") - 1
    return table.iloc[rows].assign(
        start=place[np.maximum(begins, first[rows])], stop=place[np.minimum(ends, last[rows])] + 1
    )
