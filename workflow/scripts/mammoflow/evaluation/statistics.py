"""Computes means and intervals over runs and folds, areas under ROC curves, and tests of differences.

An undefined quantity (such as the standard deviation of one value, or a test without variance) is NaN, which
is an empty cell in a table; a test also gives the reason. No warnings are raised.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from scipy.sparse import csr_array

from mammoflow.evaluation import resampling


@dataclass(frozen=True)
class Test:
    """Result of a two-sided test of equal means.

    Attributes
    ----------
    name : str
        Name of the test.
    statistic, degrees : float
        t and its degrees of freedom; NaN if undefined.
    p : float
        Two-sided p-value; NaN if undefined.
    undefined : str
        Reason why there is no p-value; empty if there is one.
    """

    # pytest would otherwise collect a class of this name.
    __test__ = False

    name: str
    statistic: float
    degrees: float
    p: float
    undefined: str = ""


def az(labels: ArrayLike, scores: ArrayLike) -> float:
    """Area under the ROC curve; ties count half.

    Parameters
    ----------
    labels : (n,) array of bool or 0/1
        Whether each case is positive.
    scores : (n,) float array
        Higher for more suspicious.

    Returns
    -------
    float
        NaN when a class is empty.

    Raises
    ------
    ValueError
        When the lengths differ, a label is not 0 or 1, or a score is NaN.

    References
    ----------
    Hanley and McNeil, "The meaning and use of the area under a receiver operating characteristic
    (ROC) curve", Radiology 143(1), 1982.

    Examples
    --------
    >>> az([0, 0, 1, 1], [0.1, 0.4, 0.4, 0.8])
    0.875
    """
    labels, scores = np.asarray(labels), np.asarray(scores, float)
    if labels.shape != scores.shape:
        raise ValueError(f"az: expected as many labels as scores, got {labels.shape} and {scores.shape}")
    if not np.isin(labels, (0, 1)).all():
        raise ValueError(f"az: expected labels 0 and 1, got {np.unique(labels).tolist()}")
    if np.isnan(scores).any():
        raise ValueError(f"az: expected numbers as scores, got {np.isnan(scores).sum()} NaN")
    positive = labels.astype(bool)
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if not positives or not negatives:
        return float("nan")
    above = stats.rankdata(scores)[positive].sum() - positives * (positives + 1) / 2
    return float(above / (positives * negatives))


def az_of_draws(labels: ArrayLike, scores: ArrayLike, patients: ArrayLike, draws: np.ndarray) -> np.ndarray:
    """Area under the ROC curve in each bootstrap draw of patients.

    Patches of the same patient are not independent, so DeLong's interval over patches would be too narrow.
    Therefore patients are resampled, with all of their patches.

    Parameters
    ----------
    labels, scores
        See `az`.
    patients : (n,) array of int
        Patient of each case, as a column of `draws`.
    draws : (samples, patients) array of int
        How often each patient is drawn.

    Returns
    -------
    (samples,) float array
        NaN for a draw without one of the classes.

    References
    ----------
    Rutter, "Bootstrap estimation of diagnostic accuracy with patient-clustered data", Academic Radiology
    7(6), 2000. Pairs are counted as in Obuchowski, "Nonparametric analysis of clustered ROC curve data",
    Biometrics 53(2), 1997.
    """
    labels, scores, patients = np.asarray(labels, bool), np.asarray(scores, float), np.asarray(patients)
    positive, negative = (Rated(scores[of], np.ones(of.sum()), patients[of]) for of in (labels, ~labels))
    n = draws.shape[1]
    positives, negatives = (draws @ np.bincount(each.patient, minlength=n) for each in (positive, negative))
    pairs = positives * negatives
    return np.where(pairs > 0, pairs_in_order(positive, negative, draws) / np.maximum(pairs, 1), np.nan)


class Rated(NamedTuple):
    """Ratings of n cases.

    Attributes
    ----------
    rating, weight : (n,) float arrays
        Higher for more suspicious, minus infinity for a case without a mark; how much each case counts.
    patient : (n,) int array
        Patient of each case.
    """

    rating: np.ndarray
    weight: np.ndarray
    patient: np.ndarray


def pairs_in_order(positive: Rated, negative: Rated, draws: np.ndarray) -> np.ndarray:
    """Weight of all pairs in which the positive case has the higher rating, in each draw of patients.

    Parameters
    ----------
    positive, negative : Rated
        A pair weighs as much as the product of its two cases, and half of it if both ratings are equal.
    draws : (samples, p) int array
        How often each patient is drawn.

    Returns
    -------
    (samples,) float array
    """
    ratings = np.unique(np.concatenate([positive.rating, negative.rating]))
    won, lost = (_by_rating(each, ratings, draws.shape[1]) for each in (positive, negative))
    total = np.empty(len(draws))
    for part in resampling.parts(len(draws), max(won.shape)):
        drawn = draws[part].T.astype(float)
        there = lost @ drawn
        total[part] = ((won @ drawn) * (np.cumsum(there, axis=0) - there / 2)).sum(axis=0)
    return total


def _by_rating(cases: Rated, ratings: np.ndarray, patients: int) -> csr_array:
    """Weight of the cases of each patient at each of r ascending ratings, (r, p) sparse float."""
    places = (np.searchsorted(ratings, cases.rating), cases.patient)
    return csr_array((cases.weight, places), (len(ratings), patients))


def mean_std(values: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Mean and sample standard deviation (n - 1) along the first axis.

    Parameters
    ----------
    values : (n, ...) float array
        One entry per run or fold.

    Returns
    -------
    mean, std : (...) float arrays
        The mean of no value, and the deviation of fewer than two, are NaN.
    """
    values = np.asarray(values, float)
    undefined = np.full(values.shape[1:], np.nan)
    mean = values.mean(axis=0) if len(values) else undefined
    std = values.std(axis=0, ddof=1) if len(values) > 1 else undefined
    return mean, std


def t_interval(
    values: ArrayLike, level: float = 0.95, low: float = -np.inf, high: float = np.inf
) -> tuple[np.ndarray, np.ndarray]:
    """Interval of Student's t for the mean along the first axis, clipped to ``[low, high]``.

    Parameters
    ----------
    values : (n, ...) float array
        One entry per run or fold.
    level : float
        Confidence level.
    low, high : float
        Range of the quantity, for example 0 and 1.

    Returns
    -------
    lower, upper : (...) float arrays
        NaN for fewer than two values; both equal to the mean if all values are equal.
    """
    values = np.asarray(values, float)
    mean, std = mean_std(values)
    if len(values) < 2:
        return std, std.copy()
    half = stats.t.ppf((1 + level) / 2, len(values) - 1) * std / np.sqrt(len(values))
    return np.clip(mean - half, low, high), np.clip(mean + half, low, high)


def welch(first: ArrayLike, second: ArrayLike) -> Test:
    """Welch's t-test of two independent groups, for example the test accuracies of two networks.

    Undefined if a group has fewer than two values, or if neither group has any variance.

    Parameters
    ----------
    first, second : (n,) and (m,) float arrays
        The groups.

    References
    ----------
    Welch, "The generalization of 'Student's' problem when several different population variances
    are involved", Biometrika 34, 1947. Agarwal et al. 2019 do not name the test used in table 2.

    Examples
    --------
    >>> round(welch([0.84, 0.85, 0.83], [0.80, 0.82, 0.81]).p, 4)
    0.0213
    """
    name = "Welch's t-test"
    first, second = np.asarray(first, float), np.asarray(second, float)
    if min(len(first), len(second)) < 2:
        return _undefined(name, f"groups of {len(first)} and {len(second)} values, at least 2 needed")
    shares = np.array([group.var(ddof=1) / len(group) for group in (first, second)])
    if not shares.any():
        return _undefined(name, "no variance in either group")
    degrees = shares.sum() ** 2 / (shares**2 / [len(first) - 1, len(second) - 1]).sum()
    return _t_test(name, (first.mean() - second.mean()) / np.sqrt(shares.sum()), degrees)


def paired(first: ArrayLike, second: ArrayLike) -> Test:
    """Paired t-test, for example of two chains on the same folds.

    Undefined if there are fewer than two pairs, or if all differences are equal.

    Parameters
    ----------
    first, second : (n,) float arrays
        Pairs, in the same order.

    Raises
    ------
    ValueError
        When the lengths differ.
    """
    name = "paired t-test"
    first, second = np.asarray(first, float), np.asarray(second, float)
    if len(first) != len(second):
        raise ValueError(f"{name}: expected pairs, got {len(first)} and {len(second)} values")
    if len(first) < 2:
        return _undefined(name, f"{len(first)} pairs, at least 2 needed")
    difference = first - second
    if np.ptp(difference) == 0:
        return _undefined(name, "no variance of the differences")
    spread = difference.std(ddof=1) / np.sqrt(len(difference))
    return _t_test(name, difference.mean() / spread, len(difference) - 1)


def _t_test(name: str, statistic: float, degrees: float) -> Test:
    return Test(name, float(statistic), float(degrees), float(2 * stats.t.sf(abs(statistic), degrees)))


def _undefined(name: str, why: str) -> Test:
    return Test(name, float("nan"), float("nan"), float("nan"), undefined=why)
