"""Compares two models by TPR at given FPI and by weighted AFROC area, with a paired bootstrap of patients."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from mammoflow.evaluation import resampling
from mammoflow.evaluation.definitions import Definition


class Evaluated(NamedTuple):
    """Results of a model that are compared: its tables ``operating_points``, ``merits`` and ``draws``."""

    operating_points: pd.DataFrame
    merits: pd.DataFrame
    draws: pd.DataFrame


def measures(
    model: Evaluated, definition: Definition, at: Sequence[float], against: Evaluated | None = None
) -> pd.DataFrame:
    """TPR at given FPI and weighted AFROC areas of a model, and the differences from another model.

    Patients are resampled with replacement within each fold, the same ones for both models, so that patients
    who are difficult for both models do not contribute to the difference. Unlike a permutation test, which
    exchanges the results of the models within patients, this does not require scores on a common scale.

    Parameters
    ----------
    model, against : Evaluated
        Evaluated on the same folds with the same seed.
    definition : Definition
        Provides the mode in which TPRs are compared; the areas always use ``candidate``.
    at : sequence of float
        FPI at which TPRs are compared.

    Returns
    -------
    pandas.DataFrame
        Columns mode, measure, fpi, value with its interval low and high, number of folds, and
        folds_reached, the number of folds whose curve reaches the FPI; difference with difference_low
        and difference_high, and p, the two-sided p-value of no difference. The last four are NaN without
        another model, or if patients cannot be resampled.

    Raises
    ------
    ValueError
        When the draws of the two models differ.
    """
    rows = [_row(model, against, definition, "TPR", fpi) for fpi in at]
    scored = replace(definition, mode="candidate")
    rows += [_row(model, against, scored, measure, np.nan) for measure in model.merits["measure"]]
    return pd.DataFrame(rows)


def _row(
    model: Evaluated, against: Evaluated | None, definition: Definition, measure: str, fpi: float
) -> dict[str, float | str]:
    value, folds, reached = _value(model, definition, measure, fpi)
    draws = draws_of(model.draws, definition.mode, measure, fpi)
    low, high = resampling.percentiles(draws)
    row = {
        **{"mode": definition.mode, "measure": measure, "fpi": fpi, "folds": folds, "folds_reached": reached},
        **{"value": value, "low": float(low), "high": float(high)},
        **dict.fromkeys(("difference", "difference_low", "difference_high", "p"), np.nan),
    }
    if against is None:
        return row
    differences = paired(draws, draws_of(against.draws, definition.mode, measure, fpi))
    low, high = resampling.percentiles(differences)
    return row | {
        "difference": value - _value(against, definition, measure, fpi)[0],
        "difference_low": float(low),
        "difference_high": float(high),
        "p": resampling.p_value(differences),
    }


def _value(model: Evaluated, definition: Definition, measure: str, fpi: float) -> tuple[float, int, int]:
    """A mean value, its number of folds, and the number of folds that reach the FPI."""
    if measure == "TPR":
        points = definition.rows(model.operating_points)
        point = points[np.isclose(points["fpi"], fpi)].iloc[0]
        return float(point["tpr_mean"]), int(point["folds"]), int(point["folds_reached"])
    merit = model.merits[model.merits["measure"] == measure].iloc[0]
    return float(merit["mean"]), int(merit["folds"]), int(merit["folds"])


def paired(draws: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Differences of two models in each draw of the same patients, (n,) float.

    Raises
    ------
    ValueError
        When the numbers of draws differ.
    """
    if len(others) != len(draws):
        raise ValueError(
            f"comparison: expected as many draws of both models, got {len(draws)} and {len(others)}"
        )
    return draws - others


def draws_of(draws: pd.DataFrame, mode: str, measure: str, fpi: float) -> np.ndarray:
    """Values of a measure in every draw of patients, in order: (n,) float.

    Parameters
    ----------
    draws : pandas.DataFrame
        Table ``froc-draws``.
    mode, measure : str
        As in the table.
    fpi : float
        False positives per image of a TPR, NaN for an area.
    """
    rows = (draws["mode"] == mode) & (draws["measure"] == measure)
    rows &= draws["fpi"].isna() if np.isnan(fpi) else np.isclose(draws["fpi"], fpi)
    return draws[rows].sort_values("draw")["value"].to_numpy(float)
