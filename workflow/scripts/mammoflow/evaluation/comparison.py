"""Whether one model finds more than another: the same draws of patients, paired."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from mammoflow.evaluation import resampling
from mammoflow.evaluation.definitions import Definition


class Evaluated(NamedTuple):
    """What the comparison of a model needs: its tables ``operating_points``, ``merits`` and ``draws``."""

    operating_points: pd.DataFrame
    merits: pd.DataFrame
    draws: pd.DataFrame


def measures(
    model: Evaluated, definition: Definition, at: Sequence[float], against: Evaluated | None = None
) -> pd.DataFrame:
    """TPR at given FPI, and areas under the weighted AFROC, beside those of another model.

    Patients are drawn again with replacement within each fold, the same ones for both models, so that what
    makes a patient hard or easy for both does not count as a difference. That needs no common scale of the
    scores, as exchanging the models' results within patients would.

    Parameters
    ----------
    model, against : Evaluated
        Evaluated on the same folds with the same seed.
    definition : Definition
        With the mode in which they are compared; the areas need, and take, ``candidate``.
    at : sequence of float
        FPI of the TPR.

    Returns
    -------
    pandas.DataFrame
        Columns mode, measure, fpi, value with its interval low and high, folds and, of them, folds_reached,
        those whose curve goes as far as the FPI; difference with
        difference_low and difference_high, and p, the two-sided p-value of no difference: NaN without
        another model, or where patients cannot be drawn again.

    Raises
    ------
    ValueError
        When the models were not drawn alike.
    """
    rows = [_row(model, against, definition, "TPR", fpi) for fpi in at]
    scored = replace(definition, mode="candidate")
    rows += [_row(model, against, scored, measure, np.nan) for measure in model.merits["measure"]]
    return pd.DataFrame(rows)


def _row(
    model: Evaluated, against: Evaluated | None, definition: Definition, measure: str, fpi: float
) -> dict[str, float | str]:
    value, folds, reached = _value(model, definition, measure, fpi)
    draws = _draws(model, definition.mode, measure, fpi)
    low, high = resampling.percentiles(draws)
    row = {
        **{"mode": definition.mode, "measure": measure, "fpi": fpi, "folds": folds, "folds_reached": reached},
        **{"value": value, "low": float(low), "high": float(high)},
        **dict.fromkeys(("difference", "difference_low", "difference_high", "p"), np.nan),
    }
    if against is None:
        return row
    others = _draws(against, definition.mode, measure, fpi)
    if len(others) != len(draws):
        raise ValueError(
            f"comparison: expected as many draws of both models, got {len(draws)} and {len(others)}"
        )
    low, high = resampling.percentiles(draws - others)
    return row | {
        "difference": value - _value(against, definition, measure, fpi)[0],
        "difference_low": float(low),
        "difference_high": float(high),
        "p": resampling.p_value(draws - others),
    }


def _value(model: Evaluated, definition: Definition, measure: str, fpi: float) -> tuple[float, int, int]:
    """A value, over how many folds it is the mean, and how many of them reach the FPI."""
    if measure == "TPR":
        points = definition.rows(model.operating_points)
        point = points[np.isclose(points["fpi"], fpi)].iloc[0]
        return float(point["tpr_mean"]), int(point["folds"]), int(point["folds_reached"])
    merit = model.merits[model.merits["measure"] == measure].iloc[0]
    return float(merit["mean"]), int(merit["folds"]), int(merit["folds"])


def _draws(model: Evaluated, mode: str, measure: str, fpi: float) -> np.ndarray:
    draws = model.draws
    rows = (draws["mode"] == mode) & (draws["measure"] == measure)
    rows &= draws["fpi"].isna() if np.isnan(fpi) else np.isclose(draws["fpi"], fpi)
    return draws[rows].sort_values("draw")["value"].to_numpy(float)
