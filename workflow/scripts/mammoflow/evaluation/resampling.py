"""Bootstrap of patients: whole patients are drawn again, within each fold, and folds are averaged.

The images of a patient belong together, so they are drawn together.
"""

from collections.abc import Iterator, Sequence

import numpy as np

# Values of one array of a part: some 30 MB, whatever the number of draws and thresholds.
_VALUES = 4_000_000


def draws(patients: int, samples: int, generator: np.random.Generator) -> np.ndarray:
    """How often each patient is drawn, as many patients as there are, with replacement.

    Returns
    -------
    (samples, patients) int array
    """
    if not patients:
        return np.zeros((samples, 0), int)
    return generator.multinomial(patients, np.full(patients, 1 / patients), size=samples)


def parts(samples: int, width: int) -> Iterator[slice]:
    """Slices of the draws, short enough for arrays (draws, width) to stay small."""
    step = max(1, _VALUES // max(1, width))
    return (slice(start, start + step) for start in range(0, samples, step))


def over_folds(
    folds: Sequence[np.ndarray], targets: Sequence[np.ndarray], shape: tuple[int, ...]
) -> np.ndarray:
    """Mean over folds of every draw.

    Parameters
    ----------
    folds : sequence of (samples, ...) float arrays
        What each fold gives in each draw; NaN, in a draw without lesions, leaves the fold out of that draw.
    targets : sequence of (patients,) int arrays
        Units to find in each patient of each fold. Where no fold has two patients with any, to draw them
        again says nothing: all is NaN.
    shape : tuple of int
        Of the result.

    Returns
    -------
    (samples, ...) float array
        NaN where a draw has no fold left.
    """
    if not any(np.count_nonzero(those) > 1 for those in targets):
        return np.full(shape, np.nan)
    stacked = np.stack(folds)
    there = (~np.isnan(stacked)).sum(axis=0)
    total = np.nansum(stacked, axis=0)
    return np.divide(total, there, out=np.full(shape, np.nan), where=there > 0)


def percentiles(samples: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Interval of the percentiles of the draws, those that are NaN left out; (...) each.

    Parameters
    ----------
    samples : (n, ...) float array
        Of `over_folds`.
    level : float
        Confidence level.

    Returns
    -------
    low, high : (...) float arrays
        NaN without any draw.
    """
    some = ~np.isnan(samples).any(axis=tuple(range(1, samples.ndim)))
    if not some.any():
        return np.full(samples.shape[1:], np.nan), np.full(samples.shape[1:], np.nan)
    low, high = np.percentile(samples[some], [50 * (1 - level), 50 * (1 + level)], axis=0)
    return low, high


def p_value(differences: np.ndarray) -> float:
    """Two-sided p-value of no difference, from paired draws of the difference.

    Twice the smaller share of draws on either side of zero, each with one more, so that it is never 0.

    Parameters
    ----------
    differences : (n,) float array
        Difference in each draw; NaN is left out.

    Returns
    -------
    float
        NaN without any draw.

    References
    ----------
    Davison and Hinkley, "Bootstrap Methods and their Application", 1997, section 4.4.
    """
    known = differences[~np.isnan(differences)]
    if not len(known):
        return float("nan")
    smaller = min((known <= 0).sum(), (known >= 0).sum())
    return float(min(1, 2 * (smaller + 1) / (len(known) + 1)))
