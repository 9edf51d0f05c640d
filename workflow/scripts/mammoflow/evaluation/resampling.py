"""Bootstrap over patients: patients are resampled within each fold, then folds are averaged.

A patient is always drawn with all images, because images of the same patient are not independent.
"""

from collections.abc import Iterator, Sequence

import numpy as np

# Maximum number of values of an array (about 30 MB), regardless of the number of draws and thresholds.
_VALUES = 4_000_000


def draws(patients: int, samples: int, generator: np.random.Generator) -> np.ndarray:
    """Draw all patients with replacement, and count how often each patient is drawn.

    Returns
    -------
    (samples, patients) array
        Of the smallest integer type, because thousands of draws of thousands of patients are large.
    """
    if not patients:
        return np.zeros((samples, 0), np.uint8)
    found = generator.multinomial(patients, np.full(patients, 1 / patients), size=samples)
    return found.astype(np.min_scalar_type(patients))


def parts(samples: int, width: int) -> Iterator[slice]:
    """Slices of the draws, short enough that arrays (draws, width) stay small."""
    step = max(1, _VALUES // max(1, width))
    return (slice(start, start + step) for start in range(0, samples, step))


def over_folds(
    folds: Sequence[np.ndarray], targets: Sequence[np.ndarray], shape: tuple[int, ...]
) -> np.ndarray:
    """Mean over folds for every draw.

    Parameters
    ----------
    folds : sequence of (samples, ...) float arrays
        Value of each fold in each draw. NaN, for a draw without lesions, excludes the fold from this draw.
    targets : sequence of (patients,) int arrays
        Number of units to detect in each patient of each fold. If no fold has two patients with any units,
        resampling is meaningless and the result is NaN.
    shape : tuple of int
        Shape of the result.

    Returns
    -------
    (samples, ...) float array
        NaN for draws without any fold.
    """
    if not any(np.count_nonzero(those) > 1 for those in targets):
        return np.full(shape, np.nan)
    stacked = np.stack(folds)
    there = (~np.isnan(stacked)).sum(axis=0)
    total = np.nansum(stacked, axis=0)
    return np.divide(total, there, out=np.full(shape, np.nan), where=there > 0)


def percentiles(samples: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Percentile interval of the draws, excluding draws that are NaN.

    Parameters
    ----------
    samples : (n, ...) float array
        The result of `over_folds`.
    level : float
        Confidence level.

    Returns
    -------
    low, high : (...) float arrays
        NaN if there is no valid draw.
    """
    some = ~np.isnan(samples).any(axis=tuple(range(1, samples.ndim)))
    if not some.any():
        return np.full(samples.shape[1:], np.nan), np.full(samples.shape[1:], np.nan)
    low, high = np.percentile(samples[some], [50 * (1 - level), 50 * (1 + level)], axis=0)
    return low, high


def p_value(differences: np.ndarray) -> float:
    """Two-sided p-value of no difference, from paired draws of the difference.

    Twice the smaller fraction of draws on either side of zero. One is added to each count, so that the
    p-value is never 0.

    Parameters
    ----------
    differences : (n,) float array
        Difference in each draw; NaN values are excluded.

    Returns
    -------
    float
        NaN if there is no valid draw.

    References
    ----------
    Davison and Hinkley, "Bootstrap Methods and their Application", 1997, section 4.4.
    """
    known = differences[~np.isnan(differences)]
    if not len(known):
        return float("nan")
    smaller = min((known <= 0).sum(), (known >= 0).sum())
    return float(min(1, 2 * (smaller + 1) / (len(known) + 1)))
