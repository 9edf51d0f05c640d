"""Computes the free-response ROC (FROC): sensitivity against false positives per image (FPI), over folds.

`definitions` states how hits, false positives and lesions are counted; `matching` finds them at every
threshold. This module counts them by patient, which gives the curve of a fold and, by resampling patients,
its bootstrap.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from mammoflow.evaluation import changes, resampling
from mammoflow.evaluation.definitions import Definition
from mammoflow.evaluation.folds import Fold, in_subset, rows_of, units_of
from mammoflow.evaluation.matching import Matches

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
        Descending.
    hits, false_positives, normal_false_positives, mass_false_positives : (p, t + 1) sparse int arrays
        Units found; false positives on the images that count, on those without a lesion, and with one. Stored
        as `changes`.
    ever : (p,) int array
        Units found at one threshold or another.
    targets, images, normal_images, mass_images : (p,) int arrays
        Units that there are; images that count, those without a lesion, and with one.
    """

    thresholds: np.ndarray
    hits: csr_array
    false_positives: csr_array
    normal_false_positives: csr_array
    mass_false_positives: csr_array
    ever: np.ndarray
    targets: np.ndarray
    images: np.ndarray
    normal_images: np.ndarray
    mass_images: np.ndarray

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
    hits, false_positives, normal_false_positives, mass_false_positives : (t,) int arrays
        Counts over the fold, as in `Counts`.
    ever : int
        Units found at one threshold or another: new boxes at each threshold may lose a lesion again.
    targets, images, normal_images, mass_images : int
        Denominators.
    """

    thresholds: np.ndarray
    hits: np.ndarray
    false_positives: np.ndarray
    normal_false_positives: np.ndarray
    mass_false_positives: np.ndarray
    ever: int
    targets: int
    images: int
    normal_images: int
    mass_images: int

    @property
    def defined(self) -> bool:
        """Whether the rates exist: there is anything to find, and an image to count false positives on."""
        return bool(self.targets and self.images)

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
        matches.hit[among], lesion_image[among], image_patient, fold.images, definition.unit
    )
    normal = ~np.isin(np.arange(len(image_ids)), lesion_image)
    counted = {"all": normal | ~normal, "mass": ~normal, "normal": normal}[definition.fpi_over]

    def false_positives_of(images: np.ndarray) -> csr_array:
        return changes.grouped(matches.false_positives[images], image_patient[images], patients)

    def number_of(images: np.ndarray) -> np.ndarray:
        return np.bincount(image_patient[images], minlength=patients)

    return Counts(
        thresholds=matches.thresholds,
        hits=changes.grouped(hit, target_patient, patients),
        false_positives=false_positives_of(counted),
        normal_false_positives=false_positives_of(normal),
        mass_false_positives=false_positives_of(~normal),
        ever=np.bincount(target_patient[np.diff(hit.indptr) > 0], minlength=patients),
        targets=np.bincount(target_patient, minlength=patients),
        images=number_of(counted),
        normal_images=number_of(normal),
        mass_images=number_of(~normal),
    )


def _units(
    hit: csr_array, lesion_image: np.ndarray, image_patient: np.ndarray, images: pd.DataFrame, unit: str
) -> tuple[csr_array, np.ndarray]:
    """Units found at each threshold, (u, t + 1) sparse, and the patient of each, (u,) int."""
    if unit == "lesion":
        return hit, image_patient[lesion_image]
    _, first, its = np.unique(units_of(images, unit)[lesion_image], return_index=True, return_inverse=True)
    found = changes.any_of(changes.grouped(hit, its, len(first)))
    return found, image_patient[lesion_image[first]]


def curve(counts: Counts) -> Curve:
    """FROC points of a fold, (0, 0) before them."""

    def total(found: csr_array) -> np.ndarray:
        return np.append(0, changes.totals(found))

    return Curve(
        thresholds=np.append(np.inf, counts.thresholds),
        hits=total(counts.hits),
        false_positives=total(counts.false_positives),
        normal_false_positives=total(counts.normal_false_positives),
        mass_false_positives=total(counts.mass_false_positives),
        ever=int(counts.ever.sum()),
        targets=int(counts.targets.sum()),
        images=int(counts.images.sum()),
        normal_images=int(counts.normal_images.sum()),
        mass_images=int(counts.mass_images.sum()),
    )


def pooled(curves: Sequence[Curve], mode: str) -> Curve:
    """FROC points of the images of all folds taken together, with one threshold for all of them.

    Published detections are often evaluated in this way; the paper takes means over folds.

    Parameters
    ----------
    curves : sequence of Curve
        Of each fold, at least one. Folds without anything to find belong to it: their false positives count.
    mode : {"paper", "candidate"}
        Of the definition. At a threshold that a fold does not have, ``candidate`` boxes of higher scores are
        still there; ``paper`` boxes exist at the thresholds of their rows alone.
    """
    thresholds = np.unique(np.concatenate([curve.thresholds for curve in curves]))[::-1]
    places = [_places(curve.thresholds, thresholds, mode) for curve in curves]

    def total(name: str) -> np.ndarray:
        return sum(getattr(curve, name)[place] for curve, place in zip(curves, places, strict=True))

    return Curve(
        thresholds=thresholds,
        hits=total("hits"),
        false_positives=total("false_positives"),
        normal_false_positives=total("normal_false_positives"),
        mass_false_positives=total("mass_false_positives"),
        ever=sum(curve.ever for curve in curves),
        targets=sum(curve.targets for curve in curves),
        images=sum(curve.images for curve in curves),
        normal_images=sum(curve.normal_images for curve in curves),
        mass_images=sum(curve.mass_images for curve in curves),
    )


def _places(own: np.ndarray, thresholds: np.ndarray, mode: str) -> np.ndarray:
    """Point of a fold with its own descending thresholds that holds at each of other ones, (t,) int.

    Where there is none, it is the first, which has no box.
    """
    place = np.searchsorted(-own, -thresholds, side="right") - 1
    return np.where(own[place] == thresholds, place, 0) if mode == "paper" else place


def row_at(points: pd.DataFrame, threshold: float, mode: str) -> pd.Series:
    """Row of the points of a curve that holds at any threshold.

    Candidates of higher scores are still there at a threshold that no box has; the paper's boxes exist at
    the thresholds of their rows alone.

    Parameters
    ----------
    points : pandas.DataFrame
        Rows of ``froc-points`` of one fold and definition; at the first, infinity, there is no box.
    threshold : float
        Of any origin.
    mode : {"paper", "candidate"}
        Of the definition.
    """
    present = points["threshold"] == threshold if mode == "paper" else points["threshold"] >= threshold
    there = points[present | np.isinf(points["threshold"])]
    return there.loc[there["threshold"].idxmin()]


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
    hits, false_positives = _best(counts.hits, counts.false_positives)
    values = np.full((len(draws), len(at)), np.nan)
    for part in resampling.parts(len(draws), max(hits.shape)):
        drawn = draws[part].T.astype(float)
        targets, images = counts.targets @ drawn, counts.images @ drawn
        tpr = np.cumsum(hits @ drawn, axis=0) / np.maximum(targets, 1)
        fpi = np.cumsum(false_positives @ drawn, axis=0) / np.maximum(images, 1)
        some = (targets > 0) & (images > 0)
        values[part] = np.where(some[:, None], tpr_at(tpr.T, fpi.T, at)[0], np.nan)
    return values


def _best(hits: csr_array, false_positives: csr_array) -> tuple[csr_array, csr_array]:
    """Changes at those thresholds alone that may give the largest TPR in some draw, (kept, p) each.

    Where no patient gains a hit or loses a false positive, no draw has a better point than just before. The
    last of the columns, where everything ends, is the point (0, 0).
    """
    last = hits.shape[1] - 1
    gained, lost = hits.indices[hits.data > 0], false_positives.indices[false_positives.data < 0]
    kept = np.unique(np.concatenate([gained, lost, [last]]))

    def summed(found: csr_array) -> csr_array:
        return changes.grouped(found.T.tocsr(), np.searchsorted(kept, np.arange(last + 1)), len(kept))

    return summed(hits), summed(false_positives)
