"""Free-response ROC: boxes against lesions at every threshold.

A **hit** is a lesion matched to a box with intersection over union (IoU) strictly above the
configured minimum. At each threshold the boxes alive *there* are matched one to one, for the most
hits and then for the largest total IoU. An unmatched box that overlaps a lesion by more than the
minimum is a duplicate: neither true nor false positive, unless the setting says ``false-positive``.
Every other box is a false positive. FPI counts all test images of a fold.

Two modes. ``paper``: the boxes are the components of the map at each threshold; they merge as it
falls, so a hit can be lost and the raw curve is not monotone. ``candidate``: a fixed set of boxes
with scores, each alive at every threshold up to its score; the classical FROC.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from mammoflow import seeds, statistics
from mammoflow.boxes import BOX
from mammoflow.contracts.froc import CURVE, OPERATING_POINTS, POINTS
from mammoflow.tables import Table

MODES = ("paper", "candidate")
DUPLICATES = ("ignore", "false-positive")
STRATA = ("small", "medium", "large")
# Beside the configured minimum, as in the paper's last operating point.
STRICT_IOU = 0.5
# FPI of the LUNA16 challenge, reported beside the configured operating points.
STANDARD_FPI = (0.125, 0.25, 0.5, 1, 2, 4, 8)
# FPI at which the mean curve is given.
CURVE_FPI = np.arange(401) / 50


@dataclass(frozen=True)
class Evaluation:
    """What counts as what: the config's ``detection: evaluation``.

    Parameters
    ----------
    mode : {"paper", "candidate"}
        What the boxes are; see the module.
    iou : float
        A hit has a larger IoU than this.
    duplicates : {"ignore", "false-positive"}
        What a further box on a lesion is.
    operating_points : sequence of float
        FPI at which the TPR is reported.
    size_strata_cm2 : sequence of two floats
        A small lesion is smaller than the first, a large one larger than the second.
    bootstrap : int
        Resamples of the patients of each fold.

    Raises
    ------
    ValueError
        When a setting has no meaning.
    """

    mode: str
    iou: float
    duplicates: str
    operating_points: Sequence[float]
    size_strata_cm2: Sequence[float]
    bootstrap: int

    def __post_init__(self) -> None:
        for name, value, choices in (("mode", self.mode, MODES), ("duplicates", self.duplicates, DUPLICATES)):
            if value not in choices:
                raise ValueError(f"evaluation: expected {name} of {' or '.join(choices)}, got '{value}'")
        if not 0 <= self.iou < 1:
            raise ValueError(f"evaluation: expected iou in [0, 1), got {self.iou}")
        edges = tuple(self.size_strata_cm2)
        if len(edges) != len(STRATA) - 1 or not 0 < edges[0] <= edges[1]:
            raise ValueError(f"evaluation: expected two ascending size_strata_cm2, got {list(edges)}")


class Fold(NamedTuple):
    """What is evaluated together.

    ``images`` has columns image_id and patient_id, a row per test image, those without box or lesion
    included; ``lesions`` and ``detections`` are tables of these images.
    """

    number: int
    images: pd.DataFrame
    lesions: pd.DataFrame
    detections: pd.DataFrame


@dataclass(frozen=True)
class Boxes:
    """Boxes of a fold, n of them, and the thresholds at which each is alive.

    Attributes
    ----------
    thresholds : (t,) float array
        Descending.
    image : (n,) int array
        Row of each box's image.
    boxes : (n, 4) int array
        ``(y0, x0, y1, x1)``, half-open.
    start, stop : (n,) int arrays
        A box is alive at ``thresholds[start:stop]``.
    """

    thresholds: np.ndarray
    image: np.ndarray
    boxes: np.ndarray
    start: np.ndarray
    stop: np.ndarray


@dataclass(frozen=True)
class Matches:
    """What was found in a fold at each of t thresholds.

    Attributes
    ----------
    thresholds : (t,) float array
        Descending.
    hit : (t, lesions) bool array
        Which lesions are matched.
    false_positives : (t, images) int array
        In each image.
    """

    thresholds: np.ndarray
    hit: np.ndarray
    false_positives: np.ndarray


@dataclass(frozen=True)
class Curve:
    """FROC points of a fold, from the highest threshold down, the first one (0, 0).

    Attributes
    ----------
    thresholds : (t,) float array
        Descending; the first is infinite.
    hits, false_positives : (t,) int arrays
        Counts over the fold.
    lesions, images : int
        Denominators.
    """

    thresholds: np.ndarray
    hits: np.ndarray
    false_positives: np.ndarray
    lesions: int
    images: int

    @property
    def tpr(self) -> np.ndarray:
        """True positive rate, (t,) float; needs a lesion."""
        return self.hits / self.lesions

    @property
    def fpi(self) -> np.ndarray:
        """False positives per image, (t,) float."""
        return self.false_positives / self.images


def alive(detections: pd.DataFrame, image_ids: Sequence[str]) -> Boxes:
    """Boxes of mode ``paper``: each row of a ``detections`` table is alive at its own threshold.

    Parameters
    ----------
    detections : pandas.DataFrame
        Columns image_id, threshold, y0, x0, y1, x1, score. An image without a row at some threshold
        has no box there.
    image_ids : sequence of str
        All images of the fold.

    Raises
    ------
    ValueError
        When a detection lies in an image that is not listed.
    """
    image = _rows_of(detections["image_id"], image_ids, "detections")
    boxes = detections[BOX].to_numpy(int)
    thresholds, rank = _ranks(detections["threshold"])
    # Successive rows of one box at successive thresholds are one lifetime.
    goes_on = (np.diff(image) == 0) & np.all(boxes[1:] == boxes[:-1], axis=1) & (np.diff(rank) == 1)
    begins = np.flatnonzero(np.append(True, ~goes_on)[: len(rank)])
    ends = np.append(begins[1:], len(rank))[: len(begins)] - 1
    return Boxes(
        thresholds=thresholds[::-1],
        image=image[begins],
        boxes=boxes[begins],
        start=len(thresholds) - 1 - rank[ends],
        stop=len(thresholds) - rank[begins],
    )


def candidates(detections: pd.DataFrame) -> pd.DataFrame:
    """Fixed candidates of a ``detections`` table: components of the map at half their own maximum.

    A peak is a candidate when the component around it at half its height holds no higher peak. So
    candidates never share a pixel, and there is one where a map has one clear maximum.

    Parameters
    ----------
    detections : pandas.DataFrame
        Components at every threshold; see `alive`.

    Returns
    -------
    pandas.DataFrame
        The rows whose threshold is the highest one listed that does not exceed half their score.
    """
    thresholds, rank = _ranks(detections["threshold"])
    half = np.searchsorted(thresholds, detections["score"].to_numpy(float) / 2, side="right") - 1
    return detections[rank == half]


def scored(boxes: pd.DataFrame, image_ids: Sequence[str]) -> Boxes:
    """Boxes of mode ``candidate``: alive at every threshold up to, and including, their score.

    Parameters
    ----------
    boxes : pandas.DataFrame
        Columns image_id, y0, x0, y1, x1, score: of `candidates`, or from somebody else's detector.
    image_ids : sequence of str
        All images of the fold.

    Raises
    ------
    ValueError
        When a box lies in an image that is not listed.
    """
    image = _rows_of(boxes["image_id"], image_ids, "detections")
    thresholds, rank = _ranks(boxes["score"])
    return Boxes(
        thresholds=thresholds[::-1],
        image=image,
        boxes=boxes[BOX].to_numpy(int),
        start=len(thresholds) - 1 - rank,
        stop=np.full(len(boxes), len(thresholds)),
    )


def _ranks(values: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Distinct values, ascending, and the rank of each value among them, (n,) int."""
    values = values.to_numpy(float)
    distinct = np.unique(values)
    return distinct, np.searchsorted(distinct, values)


def _rows_of(names: pd.Series, image_ids: Sequence[str], what: str) -> np.ndarray:
    """Row of each name among the images, (n,) int."""
    rows = pd.Index(image_ids).get_indexer(names)
    if (rows < 0).any():
        raise ValueError(
            f"{what}: expected images of the fold's test set ({len(image_ids)} images), "
            f"got '{names.to_numpy()[rows < 0][0]}'"
        )
    return rows


def overlap(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Intersection over union of each box with each other.

    Parameters
    ----------
    first, second : (n, 4) and (m, 4) arrays
        ``(y0, x0, y1, x1)``, half-open.

    Returns
    -------
    (n, m) float array

    Examples
    --------
    >>> overlap(np.array([[0, 0, 2, 2]]), np.array([[0, 1, 2, 3], [2, 2, 4, 4]])).round(3)
    array([[0.333, 0.   ]])
    """
    first, second = np.asarray(first)[:, None], np.asarray(second)[None]
    sides = np.minimum(first[..., 2:], second[..., 2:]) - np.maximum(first[..., :2], second[..., :2])
    shared = sides.clip(0).prod(axis=-1)
    area_of_first, area_of_second = ((boxes[..., 2:] - boxes[..., :2]).prod(-1) for boxes in (first, second))
    union = area_of_first + area_of_second - shared
    return np.divide(shared, union, out=np.zeros(shared.shape), where=union > 0)


def assign(iou: np.ndarray, minimum: float) -> np.ndarray:
    """Match boxes to lesions one to one: the most hits first, then the largest total IoU.

    Parameters
    ----------
    iou : (n, m) float array
        Of n boxes and m lesions; see `overlap`.
    minimum : float
        A hit has a larger IoU than this.

    Returns
    -------
    (n,) int array
        Lesion of each box, -1 for none.

    Examples
    --------
    >>> assign(np.array([[0.6, 0.5], [0.9, 0.0]]), minimum=0.2)
    array([1, 0])
    """
    hits = iou > minimum
    # One hit more outweighs any total of IoU.
    box, lesion = linear_sum_assignment(np.where(hits, iou + iou.shape[1] + 1, 0), maximize=True)
    assigned = np.full(len(iou), -1)
    assigned[box] = np.where(hits[box, lesion], lesion, -1)
    return assigned


def match(
    boxes: Boxes, lesions: pd.DataFrame, image_ids: Sequence[str], iou: float, duplicates: str = "ignore"
) -> Matches:
    """Hits and false positives of a fold at every threshold.

    Parameters
    ----------
    boxes : Boxes
        Of `alive` or `scored`.
    lesions : pandas.DataFrame
        Columns image_id, y0, x0, y1, x1; may be empty.
    image_ids : sequence of str
        All images of the fold.
    iou : float
        A hit has a larger IoU than this.
    duplicates : {"ignore", "false-positive"}
        What an unmatched box on a lesion is.

    Raises
    ------
    ValueError
        When a lesion lies in an image that is not listed.
    """
    count = len(boxes.thresholds)
    lesion_image = _rows_of(lesions["image_id"], image_ids, "lesions")
    lesion_boxes = lesions[BOX].to_numpy(int)
    hit = np.zeros((count, len(lesions)), bool)
    on_lesion = np.zeros(len(boxes.image), bool)
    for image in np.unique(lesion_image):
        here, its = np.flatnonzero(boxes.image == image), np.flatnonzero(lesion_image == image)
        overlaps = overlap(boxes.boxes[here], lesion_boxes[its])
        on_lesion[here] = (overlaps > iou).any(axis=1)
        touching = here[on_lesion[here]]
        hit[:, its] = _hits(
            overlaps[on_lesion[here]], iou, boxes.start[touching], boxes.stop[touching], count
        )
    if duplicates == "ignore":
        counted = ~on_lesion
        false_positives = _population(
            boxes.image[counted], boxes.start[counted], boxes.stop[counted], (count, len(image_ids))
        )
    else:
        false_positives = _population(boxes.image, boxes.start, boxes.stop, (count, len(image_ids)))
        np.subtract.at(false_positives, (slice(None), lesion_image), hit.astype(int))
    return Matches(boxes.thresholds, hit, false_positives)


def _population(column: np.ndarray, start: np.ndarray, stop: np.ndarray, shape: tuple) -> np.ndarray:
    """Number of boxes alive at each threshold in each column, (t, columns) int."""
    change = np.zeros((shape[0] + 1, shape[1]), int)
    np.add.at(change, (start, column), 1)
    np.subtract.at(change, (stop, column), 1)
    return np.cumsum(change, axis=0)[:-1]


def _hits(iou: np.ndarray, minimum: float, start: np.ndarray, stop: np.ndarray, count: int) -> np.ndarray:
    """Lesions of one image that are hit at each threshold, (t, m) bool; each box hits at least one."""
    links = iou > minimum
    if (links.sum(axis=1) <= 1).all():
        # No box can choose: a lesion is hit while any box on it is alive.
        box, lesion = np.nonzero(links)
        return _population(lesion, start[box], stop[box], (count, links.shape[1])) > 0
    hit = np.zeros((count, links.shape[1]), bool)
    changes = np.unique(np.concatenate([start, stop]))
    for begin, end in itertools.pairwise(changes):
        lesion = assign(iou[(start <= begin) & (begin < stop)], minimum)
        hit[begin:end, lesion[lesion >= 0]] = True
    return hit


def curve(matches: Matches, among: np.ndarray) -> Curve:
    """FROC points of a fold, (0, 0) before them.

    Parameters
    ----------
    matches : Matches
        Of the whole fold.
    among : (lesions,) bool array
        The lesions that count; the others are ignored, and boxes on them with them. False positives
        are shared by all strata.
    """
    return Curve(
        thresholds=np.append(np.inf, matches.thresholds),
        hits=np.append(0, matches.hit[:, among].sum(axis=1)),
        false_positives=np.append(0, matches.false_positives.sum(axis=1)),
        lesions=int(among.sum()),
        images=matches.false_positives.shape[1],
    )


def tpr_at(tpr: np.ndarray, fpi: np.ndarray, at: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Largest TPR among the points with at most the given FPI: a step, not an interpolation.

    Parameters
    ----------
    tpr, fpi : (..., t) float arrays
        Points of one or more curves, each with a point (0, 0).
    at : (x,) sequence of float
        FPI asked for, not negative.

    Returns
    -------
    tpr : (..., x) float array
    reached : (..., x) bool array
        Whether the curve goes as far as the FPI. Where it does not, the TPR is the largest it has.

    Examples
    --------
    >>> tpr_at(np.array([0, 0.5, 0.4, 0.9]), np.array([0, 0.2, 0.3, 1.0]), at=[0.1, 0.3, 2])
    (array([0. , 0.5, 0.9]), array([ True,  True, False]))
    """
    values = np.stack([np.where(fpi <= x, tpr, 0).max(axis=-1) for x in at], axis=-1)
    return values, fpi.max(axis=-1, keepdims=True) >= np.asarray(at)


def bootstrap(
    matches: Matches,
    fold: Fold,
    among: np.ndarray,
    at: Sequence[float],
    samples: int,
    generator: np.random.Generator,
) -> np.ndarray:
    """TPR at given FPI when the patients of a fold are drawn again with replacement.

    Matching does not depend on the draw: only the patients' counts are drawn.

    Parameters
    ----------
    matches : Matches
        Of the fold.
    fold : Fold
        Whose patients.
    among : (lesions,) bool array
        The lesions that count.
    at : (x,) sequence of float
        FPI asked for.
    samples : int
        Number of draws.
    generator : numpy.random.Generator
        What draws.

    Returns
    -------
    (samples, x) float array
        NaN for a draw without any lesion.
    """
    image_patient, patients = pd.factorize(fold.images["patient_id"])
    lesion_patient = image_patient[_rows_of(fold.lesions["image_id"], fold.images["image_id"], "lesions")]
    draws = generator.multinomial(len(patients), np.full(len(patients), 1 / len(patients)), size=samples)
    hits = draws @ _by_patient(matches.hit[:, among], lesion_patient[among], len(patients))
    false_positives = draws @ _by_patient(matches.false_positives, image_patient, len(patients))
    lesions = draws @ np.bincount(lesion_patient[among], minlength=len(patients))
    images = draws @ np.bincount(image_patient, minlength=len(patients))
    values, _ = tpr_at(hits / np.maximum(lesions, 1)[:, None], false_positives / images[:, None], at)
    values[lesions == 0] = np.nan
    return values


def _by_patient(counts: np.ndarray, patient: np.ndarray, patients: int) -> np.ndarray:
    """Counts (t, n) summed over each patient's columns, with the point (0, 0): (patients, 1 + t) float."""
    total = np.zeros((patients, 1 + len(counts)))
    np.add.at(total[:, 1:], patient, counts.T)
    return total


def in_stratum(areas_cm2: np.ndarray, stratum: str, edges: Sequence[float]) -> np.ndarray:
    """Lesions of a size stratum; a lesion of unknown area is only in ``all``.

    Parameters
    ----------
    areas_cm2 : (n,) float array
        NaN where unknown.
    stratum : {"all", "small", "medium", "large"}
        Smaller than the first edge, between the edges (both included), larger than the second.
    edges : sequence of two floats
        In cm².

    Returns
    -------
    (n,) bool array
    """
    if stratum == "all":
        return np.ones(len(areas_cm2), bool)
    low, high = edges
    return {
        "small": areas_cm2 < low,
        "medium": (low <= areas_cm2) & (areas_cm2 <= high),
        "large": areas_cm2 > high,
    }[stratum]


def fold_of(number: int, splits: pd.DataFrame, lesions: pd.DataFrame, detections: pd.DataFrame) -> Fold:
    """The test images of a fold with their lesions and detections.

    Parameters
    ----------
    number : int
        The fold.
    splits, lesions, detections : pandas.DataFrame
        Tables of the data set; the detections of this fold.

    Raises
    ------
    ValueError
        When the fold has no test images.
    """
    test = splits[(splits["fold"] == number) & (splits["role"] == "test")]
    if test.empty:
        raise ValueError(f"splits: expected test images of fold {number}, got none")
    images = test[["image_id", "patient_id"]].reset_index(drop=True)
    its = lesions[lesions["image_id"].isin(images["image_id"])].reset_index(drop=True)
    return Fold(number, images, its, detections)


def folds_of(
    splits: pd.DataFrame, lesions: pd.DataFrame, detections: Iterable[pd.DataFrame]
) -> Iterator[Fold]:
    """Folds 0, 1, ... of a data set, each when it is asked for, and not kept.

    Parameters
    ----------
    splits, lesions : pandas.DataFrame
        Tables of the data set.
    detections : iterable of pandas.DataFrame
        The detections of each fold, in order.
    """
    return map(lambda number, table: fold_of(number, splits, lesions, table), itertools.count(), detections)


class Report(NamedTuple):
    """Tables ``froc-points``, ``froc-curve`` and ``froc-operating-points``."""

    points: pd.DataFrame
    curve: pd.DataFrame
    operating_points: pd.DataFrame


def evaluate(folds: Iterable[Fold], evaluation: Evaluation, seed: int) -> Report:
    """FROC of one model per fold, over all folds.

    The configured mode and IoU for all lesions and for each size; all lesions at IoU > 0.5; all lesions
    in the other mode. A fold without a lesion of a stratum has no TPR there and is left out of it;
    the columns ``folds`` say how many remain.

    Parameters
    ----------
    folds : iterable of Fold
        At least one. Each is taken once and its table of detections let go before the next is asked for:
        rows at a thousand thresholds take far more memory than the boxes among them.
    evaluation : Evaluation
        The settings.
    seed : int
        Root seed. All strata, modes and models see the same draws of patients.
    """
    points, curves, operating = [], [], []
    at = sorted({*STANDARD_FPI, *map(float, evaluation.operating_points)})
    folds, compact = zip(*map(_compact, folds), strict=True)
    for mode, iou, strata in _definitions(evaluation):
        found = [
            match(its[mode], fold.lesions, fold.images["image_id"], iou, evaluation.duplicates)
            for fold, its in zip(folds, compact, strict=True)
        ]
        for stratum in strata:
            keys = {"mode": mode, "stratum": stratum, "iou": iou}
            lines, draws = [], []
            for fold, matches, among in _study(folds, found, stratum, evaluation.size_strata_cm2):
                generator = seeds.generator(seed, "froc", fold.number)
                lines.append(curve(matches, among))
                draws.append(bootstrap(matches, fold, among, at, evaluation.bootstrap, generator))
                points.append(_points(keys, fold.number, lines[-1]))
            operating.append(_operating_points(keys, lines, at, draws))
            if lines:
                curves.append(_mean_curve(keys, lines))
    return Report(
        points=_table(POINTS, points),
        curve=_table(CURVE, curves),
        operating_points=_table(OPERATING_POINTS, operating),
    )


def _definitions(evaluation: Evaluation) -> Iterator[tuple[str, float, tuple[str, ...]]]:
    """Mode, IoU and strata of each evaluation."""
    yield evaluation.mode, evaluation.iou, ("all", *STRATA)
    if evaluation.iou != STRICT_IOU:
        yield evaluation.mode, STRICT_IOU, ("all",)
    yield MODES[1 - MODES.index(evaluation.mode)], evaluation.iou, ("all",)


def _compact(fold: Fold) -> tuple[Fold, dict[str, Boxes]]:
    """A fold without its detections, and its boxes in each mode."""
    # A new table, for an empty slice would keep all of the old one in memory.
    without = fold._replace(detections=pd.DataFrame(columns=fold.detections.columns))
    return without, {mode: _boxes(fold, mode) for mode in MODES}


def _boxes(fold: Fold, mode: str) -> Boxes:
    image_ids = fold.images["image_id"]
    if mode == "paper":
        return alive(fold.detections, image_ids)
    return scored(candidates(fold.detections), image_ids)


def _study(
    folds: Sequence[Fold], found: Sequence[Matches], stratum: str, edges: Sequence[float]
) -> Iterator[tuple[Fold, Matches, np.ndarray]]:
    """Folds with a lesion of the stratum, and which lesions these are."""
    for fold, matches in zip(folds, found, strict=True):
        among = in_stratum(fold.lesions["area_cm2"].to_numpy(float), stratum, edges)
        if among.any():
            yield fold, matches, among


def _points(keys: dict, number: int, line: Curve) -> pd.DataFrame:
    return pd.DataFrame(
        {
            **keys,
            "fold": number,
            "threshold": line.thresholds,
            "tpr": line.tpr,
            "fpi": line.fpi,
            "hits": line.hits,
            "lesions": line.lesions,
            "false_positives": line.false_positives,
            "images": line.images,
        }
    )


def _values(lines: Iterable[Curve], at: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """TPR, and whether it is reached, of each curve at each FPI: (folds, x) each."""
    found = [tpr_at(line.tpr, line.fpi, at) for line in lines]
    values, reached = (np.reshape([pair[side] for pair in found], (-1, len(at))) for side in (0, 1))
    return values, reached


def _mean_curve(keys: dict, lines: Sequence[Curve]) -> pd.DataFrame:
    values, _ = _values(lines, CURVE_FPI)
    mean, std = statistics.mean_std(values)
    low, high = statistics.t_interval(values, low=0, high=1)
    columns = {"fpi": CURVE_FPI, "tpr_mean": mean, "tpr_std": std, "tpr_low": low, "tpr_high": high}
    return pd.DataFrame({**keys, **columns, "folds": len(lines)})


def _operating_points(
    keys: dict, lines: Sequence[Curve], at: Sequence[float], draws: Sequence[np.ndarray]
) -> pd.DataFrame:
    values, reached = _values(lines, at)
    mean, std = statistics.mean_std(values)
    t_low, t_high = statistics.t_interval(values, low=0, high=1)
    low, high = _percentiles(draws, len(at))
    return pd.DataFrame(
        {
            **keys,
            "fpi": at,
            "tpr_mean": mean,
            "tpr_std": std,
            "t_low": t_low,
            "t_high": t_high,
            "bootstrap_low": low,
            "bootstrap_high": high,
            "folds": len(lines),
            "folds_reached": reached.sum(axis=0),
        }
    )


def _percentiles(draws: Sequence[np.ndarray], count: int) -> tuple[np.ndarray, np.ndarray]:
    """Percentiles 2.5 and 97.5 of the mean over folds, (x,) each.

    A fold that drew no lesion is left out of that draw's mean.
    """
    if not draws:
        return np.full(count, np.nan), np.full(count, np.nan)
    draws = np.stack(draws)  # (folds, samples, x)
    drawn = (~np.isnan(draws)).sum(axis=0)
    means = np.nansum(draws, axis=0) / np.maximum(drawn, 1)
    means = means[(drawn > 0).all(axis=1)]
    if not len(means):
        return np.full(count, np.nan), np.full(count, np.nan)
    low, high = np.percentile(means, [2.5, 97.5], axis=0)
    return low, high


def _table(table: Table, frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    if not frames:
        return pd.DataFrame(columns=list(table.columns))
    return table.check(pd.concat(frames, ignore_index=True))


def sentence(report: Report) -> str:
    """The first definition's TPR at the FPI nearest to one, in words."""
    rows = report.operating_points.merge(report.operating_points.loc[:0, ["mode", "stratum", "iou"]])
    row = rows.iloc[(rows["fpi"] - 1).abs().argmin()]
    if row["folds"] == 0:
        return "no lesion in any fold, no TPR"
    return f"TPR {row['tpr_mean']:.2f} at {row['fpi']:g} FPI over {row['folds']} folds, mode {row['mode']}"
