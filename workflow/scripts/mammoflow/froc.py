"""Free-response ROC of a model: sensitivity against false positives per image (FPI), over folds.

What a hit, a false positive and a lesion are is in `evaluation`; `matching` finds them at every
threshold. Here they are counted by patient, which gives both the curve of a fold and, with other numbers of
each patient, its bootstrap.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from mammoflow import matching, resampling, seeds, statistics, wafroc
from mammoflow.contracts.froc import CURVE, DRAWS, MERITS, OPERATING_POINTS, POINTS
from mammoflow.evaluation import MODES, Definition, Evaluation
from mammoflow.folds import Fold, in_subset, rows_of, units_of
from mammoflow.matching import Boxes, Matches
from mammoflow.tables import Table

# FPI of the LUNA16 challenge, reported beside the configured operating points.
STANDARD_FPI = (0.125, 0.25, 0.5, 1, 2, 4, 8)
# FPI at which the mean curve is given.
CURVE_FPI = np.arange(401) / 50


@dataclass(frozen=True)
class Counts:
    """What is found in each of p patients of a fold under one definition, from the highest threshold down.

    Attributes
    ----------
    thresholds : (t,) float array
        Descending; at the first, infinity, nothing is found.
    hits, false_positives, normal_false_positives : (p, t) float arrays
        Units found; false positives on the images that count, and on those without a lesion.
    targets, images, normal_images : (p,) int arrays
        Units that there are; images that count, and those without a lesion.
    """

    thresholds: np.ndarray
    hits: np.ndarray
    false_positives: np.ndarray
    normal_false_positives: np.ndarray
    targets: np.ndarray
    images: np.ndarray
    normal_images: np.ndarray

    @property
    def defined(self) -> bool:
        """Whether there is anything to find, and an image to count false positives on."""
        return bool(self.targets.any() and self.images.any())


@dataclass(frozen=True)
class Curve:
    """FROC points of a fold, from the highest threshold down, the first one (0, 0).

    Attributes
    ----------
    thresholds : (t,) float array
        Descending; the first is infinite.
    hits, false_positives, normal_false_positives : (t,) int arrays
        Counts over the fold.
    targets, images, normal_images : int
        Denominators; the first two are not zero.
    """

    thresholds: np.ndarray
    hits: np.ndarray
    false_positives: np.ndarray
    normal_false_positives: np.ndarray
    targets: int
    images: int
    normal_images: int

    @property
    def tpr(self) -> np.ndarray:
        """True positive rate, (t,) float."""
        return self.hits / self.targets

    @property
    def fpi(self) -> np.ndarray:
        """False positives per image, (t,) float."""
        return self.false_positives / self.images


def count(matches: Matches, fold: Fold, definition: Definition, edges: Sequence[float]) -> Counts:
    """Count a fold by patient.

    Parameters
    ----------
    matches : Matches
        Of the fold, under the same definition.
    fold : Fold
        Whose patients, images and lesions.
    definition : Definition
        With the images, the unit and the subset.
    edges : sequence of two floats
        Areas in cm² between small, medium and large lesions.
    """
    image_ids = fold.images["image_id"]
    image_patient = pd.factorize(fold.images["patient_id"])[0]
    patients = int(image_patient.max()) + 1
    lesions = fold.annotated(definition.lesions)
    lesion_image = rows_of(lesions["image_id"], image_ids, "lesions")
    among = in_subset(lesions, definition.subset, edges)
    hit, target_patient = _units(
        matches.hit[:, among], lesion_image[among], image_patient, fold.images, definition.unit
    )
    normal = ~np.isin(np.arange(len(image_ids)), lesion_image)
    counted = {"all": np.ones(len(normal), bool), "mass": ~normal, "normal": normal}[definition.fpi_over]

    def by_patient(found: np.ndarray, patient: np.ndarray) -> np.ndarray:
        total = np.zeros((patients, 1 + len(found)))
        np.add.at(total[:, 1:], patient, found.T)
        return total

    def images_of(chosen: np.ndarray) -> np.ndarray:
        return np.bincount(image_patient[chosen], minlength=patients)

    return Counts(
        thresholds=np.append(np.inf, matches.thresholds),
        hits=by_patient(hit, target_patient),
        false_positives=by_patient(matches.false_positives[:, counted], image_patient[counted]),
        normal_false_positives=by_patient(matches.false_positives[:, normal], image_patient[normal]),
        targets=np.bincount(target_patient, minlength=patients),
        images=images_of(counted),
        normal_images=images_of(normal),
    )


def _units(
    hit: np.ndarray, lesion_image: np.ndarray, image_patient: np.ndarray, images: pd.DataFrame, unit: str
) -> tuple[np.ndarray, np.ndarray]:
    """Units found at each threshold, (t, u) bool, and the patient of each, (u,) int."""
    if unit == "lesion":
        return hit, image_patient[lesion_image]
    _, first, its = np.unique(units_of(images, unit)[lesion_image], return_index=True, return_inverse=True)
    found = np.zeros((len(hit), len(first)), bool)
    np.logical_or.at(found, (slice(None), its), hit)
    return found, image_patient[lesion_image[first]]


def curve(counts: Counts) -> Curve:
    """FROC points of a fold, (0, 0) before them."""
    return Curve(
        thresholds=counts.thresholds,
        hits=counts.hits.sum(axis=0).astype(int),
        false_positives=counts.false_positives.sum(axis=0).astype(int),
        normal_false_positives=counts.normal_false_positives.sum(axis=0).astype(int),
        targets=int(counts.targets.sum()),
        images=int(counts.images.sum()),
        normal_images=int(counts.normal_images.sum()),
    )


def point_at(tpr: np.ndarray, fpi: np.ndarray, at: Sequence[float]) -> np.ndarray:
    """Point with the largest TPR among those with at most the given FPI; the first of them.

    Parameters
    ----------
    tpr, fpi : (..., t) float arrays
        Points of one or more curves, each with a point (0, 0).
    at : (x,) sequence of float
        FPI asked for, not negative.

    Returns
    -------
    (..., x) int array
    """
    return np.stack([np.where(fpi <= x, tpr, -1).argmax(axis=-1) for x in at], axis=-1)


def tpr_at(tpr: np.ndarray, fpi: np.ndarray, at: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Largest TPR among the points with at most the given FPI: a step, not an interpolation.

    Parameters
    ----------
    tpr, fpi, at
        As in `point_at`.

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


def bootstrap(counts: Counts, draws: np.ndarray, at: Sequence[float]) -> np.ndarray:
    """TPR at given FPI when the patients of a fold are drawn again.

    Matching does not depend on the draw: only the patients' numbers change.

    Parameters
    ----------
    counts : Counts
        Of the fold.
    draws : (samples, p) int array
        How often each patient is drawn; see `resampling.draws`.
    at : (x,) sequence of float
        FPI asked for.

    Returns
    -------
    (samples, x) float array
        NaN for a draw with nothing to find, or without an image to count false positives on.
    """
    # A threshold at which nobody changes gives the same point again.
    found = np.concatenate([counts.hits, counts.false_positives])
    kept = np.append(True, (found[:, 1:] != found[:, :-1]).any(axis=0))
    hits, false_positives = counts.hits[:, kept], counts.false_positives[:, kept]
    values = np.full((len(draws), len(at)), np.nan)
    for part in resampling.parts(len(draws), hits.shape[1]):
        drawn = draws[part].astype(float)
        targets, images = drawn @ counts.targets, drawn @ counts.images
        tpr = drawn @ hits / np.maximum(targets, 1)[:, None]
        fpi = drawn @ false_positives / np.maximum(images, 1)[:, None]
        some = (targets > 0) & (images > 0)
        values[part] = np.where(some[:, None], tpr_at(tpr, fpi, at)[0], np.nan)
    return values


class Report(NamedTuple):
    """A table of each kind in `contracts.froc`."""

    points: pd.DataFrame
    curve: pd.DataFrame
    operating_points: pd.DataFrame
    merits: pd.DataFrame
    draws: pd.DataFrame


def evaluate(
    folds: Iterable[Fold],
    evaluation: Evaluation,
    seed: int,
    boxes_of: Callable[[Fold], dict[str, Boxes]] = matching.of_maps,
) -> Report:
    """FROC of one model per fold, over all folds, under every definition.

    A fold with nothing to find under a definition, or without an image to count false positives on, has no
    curve there and is left out of it; the columns ``folds`` say how many remain.

    Parameters
    ----------
    folds : iterable of Fold
        At least one. Each is taken once and its table of detections let go before the next is asked for:
        rows at a thousand thresholds take far more memory than the boxes among them.
    evaluation : Evaluation
        The settings.
    seed : int
        Root seed. All definitions and models see the same draws of patients.
    boxes_of : function
        Boxes of a fold in each mode that it has: `matching.of_maps` or `matching.of_scores`.
    """
    # No comprehension: its variable would keep a fold until the next is read.
    folds, boxes = zip(*map(partial(_compact, boxes_of), folds), strict=True)
    draws = [_draws(fold, evaluation.bootstrap, seed) for fold in folds]
    at = sorted({*STANDARD_FPI, *map(float, evaluation.operating_points)})
    modes = [mode for mode in MODES if mode in boxes[0]]
    own = evaluation.definition
    if own.mode not in modes:
        own = replace(own, mode=modes[0])
    points, curves, operating, drawn = [], [], [], []
    kept = _possible(evaluation.drawn(), modes, own)
    found = _Found(folds, boxes)
    for definition in _possible([*evaluation.protocol(), *kept], modes, own):
        counted = [
            (fold.number, counts, sample)
            for fold, counts, sample in zip(
                folds, found.counts(definition, evaluation.size_strata_cm2), draws, strict=True
            )
            if counts.defined
        ]
        lines = [curve(counts) for _, counts, _ in counted]
        samples = resampling.over_folds(
            [bootstrap(counts, sample, at) for _, counts, sample in counted],
            [counts.targets for _, counts, _ in counted],
            (evaluation.bootstrap, len(at)),
        )
        operating.append(_operating_points(definition, lines, at, samples))
        if definition in kept:
            points += [
                _points(definition, number, line) for (number, _, _), line in zip(counted, lines, strict=True)
            ]
            curves += [_mean_curve(definition, lines)] if lines else []
        if definition in (replace(own, mode=mode) for mode in modes):
            drawn += [_drawn(definition.mode, "TPR", x, samples[:, i]) for i, x in enumerate(at)]
    scored = replace(own, mode="candidate")
    merits, merit_draws = _merits(folds, found.matches(scored), scored, draws)
    return Report(
        points=_table(POINTS, points),
        curve=_table(CURVE, curves),
        operating_points=_table(OPERATING_POINTS, operating),
        merits=_table(MERITS, merits),
        draws=_table(DRAWS, [*drawn, *merit_draws]),
    )


def _possible(definitions: Iterable[Definition], modes: Sequence[str], own: Definition) -> list[Definition]:
    """Definitions in a mode that the boxes have, each once, the model's own first."""
    alone = (replace(each, mode=own.mode) if len(modes) == 1 else each for each in definitions)
    return list(dict.fromkeys([own, *alone]))


def _compact(boxes_of: Callable[[Fold], dict[str, Boxes]], fold: Fold) -> tuple[Fold, dict[str, Boxes]]:
    """A fold without its detections, and its boxes in each mode."""
    # A new table, for an empty slice would keep all of the old one in memory.
    without = fold._replace(detections=pd.DataFrame(columns=fold.detections.columns))
    return without, boxes_of(fold)


def _draws(fold: Fold, samples: int, seed: int) -> np.ndarray:
    patients = fold.images["patient_id"].nunique()
    return resampling.draws(patients, samples, seeds.generator(seed, "froc", fold.number))


class _Found:
    """Matches of all folds, kept for the definitions that share them."""

    def __init__(self, folds: Sequence[Fold], boxes: Sequence[Mapping[str, Boxes]]) -> None:
        self._folds, self._boxes = folds, boxes
        self._kept: dict[Definition, list[Matches]] = {}

    def matches(self, definition: Definition) -> list[Matches]:
        shared = replace(definition, fpi_over="all", unit="lesion", subset="all")
        if shared not in self._kept:
            self._kept[shared] = [
                matching.match(
                    boxes[shared.mode], fold.annotated(shared.lesions), fold.images["image_id"], shared
                )
                for fold, boxes in zip(self._folds, self._boxes, strict=True)
            ]
        return self._kept[shared]

    def counts(self, definition: Definition, edges: Sequence[float]) -> Iterator[Counts]:
        for fold, matches in zip(self._folds, self.matches(definition), strict=True):
            yield count(matches, fold, definition, edges)


def _points(definition: Definition, number: int, line: Curve) -> pd.DataFrame:
    return pd.DataFrame(
        {
            **definition.key,
            "fold": number,
            "threshold": line.thresholds,
            "tpr": line.tpr,
            "fpi": line.fpi,
            "hits": line.hits,
            "targets": line.targets,
            "false_positives": line.false_positives,
            "images": line.images,
            "normal_false_positives": line.normal_false_positives,
            "normal_images": line.normal_images,
        }
    )


def _values(lines: Iterable[Curve], at: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """TPR, and whether it is reached, of each curve at each FPI: (folds, x) each."""
    found = [tpr_at(line.tpr, line.fpi, at) for line in lines]
    values, reached = (np.reshape([pair[side] for pair in found], (-1, len(at))) for side in (0, 1))
    return values, reached


def _mean_curve(definition: Definition, lines: Sequence[Curve]) -> pd.DataFrame:
    values, _ = _values(lines, CURVE_FPI)
    mean, std = statistics.mean_std(values)
    low, high = statistics.t_interval(values, low=0, high=1)
    columns = {"fpi": CURVE_FPI, "tpr_mean": mean, "tpr_std": std, "tpr_low": low, "tpr_high": high}
    return pd.DataFrame({**definition.key, **columns, "folds": len(lines)})


def _operating_points(
    definition: Definition, lines: Sequence[Curve], at: Sequence[float], samples: np.ndarray
) -> pd.DataFrame:
    values, reached = _values(lines, at)
    mean, std = statistics.mean_std(values)
    t_low, t_high = statistics.t_interval(values, low=0, high=1)
    low, high = resampling.percentiles(samples)
    normal, folds_normal = _fpi_of_kind(lines, at, normal=True)
    mass, _ = _fpi_of_kind(lines, at, normal=False)
    return pd.DataFrame(
        {
            **definition.key,
            "fpi": at,
            "tpr_mean": mean,
            "tpr_std": std,
            "t_low": t_low,
            "t_high": t_high,
            "bootstrap_low": low,
            "bootstrap_high": high,
            "fpi_normal": normal,
            "fpi_mass": mass,
            "targets": sum(line.targets for line in lines),
            "images": sum(line.images for line in lines),
            "folds": len(lines),
            "folds_reached": reached.sum(axis=0),
            "folds_normal": folds_normal,
        }
    )


def _fpi_of_kind(lines: Iterable[Curve], at: Sequence[float], normal: bool) -> tuple[np.ndarray, int]:
    """FPI on normal or on mass images where the TPR is read, mean over the folds that have such: (x,)."""
    rates = []
    for line in lines:
        images = line.normal_images if normal else line.images - line.normal_images
        counts = line.normal_false_positives if normal else line.false_positives - line.normal_false_positives
        if images > 0:
            rates.append(counts[point_at(line.tpr, line.fpi, at)] / images)
    return (np.mean(rates, axis=0) if rates else np.full(len(at), np.nan)), len(rates)


def _merits(
    folds: Sequence[Fold], found: Sequence[Matches], definition: Definition, draws: Sequence[np.ndarray]
) -> tuple[list[pd.DataFrame], list[pd.DataFrame]]:
    """Rows of ``froc-merits`` and of ``froc-draws`` for the areas under the weighted AFROC."""
    rows, drawn = [], []
    for measure in wafroc.MEASURES:
        areas = [
            (wafroc.by_patient(matches, fold, definition, measure), sample)
            for matches, fold, sample in zip(found, folds, draws, strict=True)
        ]
        areas = [(kernel, sample) for kernel, sample in areas if kernel.defined]
        values = np.array([kernel.area() for kernel, _ in areas])
        samples = resampling.over_folds(
            [kernel.areas(sample) for kernel, sample in areas],
            [kernel.diseased for kernel, _ in areas],
            (len(draws[0]),),
        )
        mean, std = statistics.mean_std(values)
        t_low, t_high = statistics.t_interval(values, low=0, high=1)
        low, high = resampling.percentiles(samples)
        rows.append(
            pd.DataFrame(
                {
                    "measure": [measure],
                    "mean": float(mean),
                    "std": float(std),
                    "t_low": float(t_low),
                    "t_high": float(t_high),
                    "bootstrap_low": float(low),
                    "bootstrap_high": float(high),
                    "folds": len(areas),
                }
            )
        )
        drawn.append(_drawn(definition.mode, measure, np.nan, samples))
    return rows, drawn


def _drawn(mode: str, measure: str, fpi: float, samples: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(
        {"mode": mode, "measure": measure, "fpi": fpi, "draw": np.arange(len(samples)), "value": samples}
    )


def _table(table: Table, frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    if not frames:
        return pd.DataFrame(columns=list(table.columns))
    return table.check(pd.concat(frames, ignore_index=True))


def write(report: Report, paths: Mapping[str, str]) -> None:
    """Write each table of a report to the path under its name."""
    tables = (POINTS, CURVE, OPERATING_POINTS, MERITS, DRAWS)
    for name, table, frame in zip(Report._fields, tables, report, strict=True):
        table.write(frame, paths[name])


def sentence(report: Report) -> str:
    """The first definition's TPR at the FPI nearest to one, in words."""
    own = report.operating_points.iloc[0]
    rows = Definition(**own[[field.name for field in fields(Definition)]]).rows(report.operating_points)
    row = rows.iloc[(rows["fpi"] - 1).abs().argmin()]
    if row["folds"] == 0:
        return "no lesion in any fold, no TPR"
    return f"TPR {row['tpr_mean']:.2f} at {row['fpi']:g} FPI over {row['folds']} folds, mode {row['mode']}"
