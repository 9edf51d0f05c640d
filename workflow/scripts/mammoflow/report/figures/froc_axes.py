"""Draws a FROC curve on axes, for figures 3 and 5."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from mammoflow.evaluation import froc
from mammoflow.evaluation.definitions import MODES, Definition
from mammoflow.report.figures import style
from mammoflow.report.naming import BOXES

LEFT, RIGHT = 0.1, 8
_TICKS = (0.125, 0.25, 0.5, 1, 2, 4, 8)

# How each kind of line is drawn, by its name in legends.
_MEAN, _BEYOND, _FOLD, _POOLED = (
    "mean over folds",
    "mean, where a fold's curve has ended",
    "one fold",
    "all folds pooled",
)
LOOKS = {
    _MEAN: {"lw": 2},
    _BEYOND: {"lw": 1.2, "ls": ":"},
    _FOLD: {"lw": 0.6, "alpha": 0.35},
    _POOLED: {"lw": 1, "ls": "--", "alpha": 0.9},
}
_STEPS = {"drawstyle": "steps-post", "estimator": None, "legend": False}


def draw_curve(axes: Axes, curve: pd.DataFrame, colour: str, label: str, reached: float) -> None:
    """Mean over folds and its 95 % band; in the legend alone where there is no lesion.

    Parameters
    ----------
    axes : Axes
        Where.
    curve : pandas.DataFrame
        Table ``froc-curve`` of one definition; may be empty.
    colour, label : str
        Of the mean.
    reached : float
        FPI up to which every fold's curve goes; the mean is dotted from there.
    """
    fpi, mean = curve["fpi"].to_numpy(), curve["tpr_mean"].to_numpy()
    axes.fill_between(
        fpi, curve["tpr_low"], curve["tpr_high"], step="post", color=colour, alpha=0.12, linewidth=0
    )
    whole = fpi <= reached
    steps = {"color": colour, "ax": axes, **_STEPS}
    if whole.any():
        sns.lineplot(x=fpi[whole], y=mean[whole], label=label, **LOOKS[_MEAN], **steps)
    else:
        axes.plot([], [], color=colour, label=label, **LOOKS[_MEAN])
    sns.lineplot(x=fpi[~whole], y=mean[~whole], **LOOKS[_BEYOND], **steps)


def draw_folds(axes: Axes, points: pd.DataFrame, colour: str) -> None:
    """Faint curve of every fold, as far as it goes.

    Parameters
    ----------
    axes : Axes
        Where.
    points : pandas.DataFrame
        Table ``froc-points`` of one definition; may be empty.
    colour : str
        Of the mean that they belong to.
    """
    if len(points):
        steps = {"color": colour, "ax": axes, **_STEPS}
        sns.lineplot(curves_of_folds(points), x="fpi", y="tpr", units="fold", **LOOKS[_FOLD], **steps)


def curves_of_folds(points: pd.DataFrame) -> pd.DataFrame:
    """Curve of every fold at `froc.CURVE_FPI`, as far as it goes.

    Parameters
    ----------
    points : pandas.DataFrame
        Table ``froc-points`` of one definition.

    Returns
    -------
    pandas.DataFrame
        Columns fpi, tpr and fold.
    """
    curves = []
    for number, fold in points.groupby("fold"):
        at = froc.CURVE_FPI[fold["fpi"].max() >= froc.CURVE_FPI]
        tpr, _ = froc.tpr_at(fold["tpr"].to_numpy(), fold["fpi"].to_numpy(), at)
        curves.append(pd.DataFrame({"fpi": at, "tpr": tpr, "fold": number}))
    return pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(columns=["fpi", "tpr", "fold"])


def draw_pooled(axes: Axes, pooled: pd.DataFrame, colour: str) -> None:
    """Dashed curve of all test images together.

    Parameters
    ----------
    axes : Axes
        Where.
    pooled : pandas.DataFrame
        Table ``froc-pooled`` of one definition; may be empty.
    colour : str
        Of the mean next to it.
    """
    if len(pooled):
        at = froc.CURVE_FPI[pooled["fpi"].max() >= froc.CURVE_FPI]
        tpr, _ = froc.tpr_at(pooled["tpr"].to_numpy(), pooled["fpi"].to_numpy(), at)
        steps = {"color": colour, "ax": axes, **_STEPS}
        sns.lineplot(x=at, y=tpr, **LOOKS[_POOLED], **steps)


def reached(points: pd.DataFrame) -> float:
    """FPI up to which the curves of all folds go; infinite without any fold."""
    return float(points.groupby("fold")["fpi"].max().min()) if len(points) else np.inf


def panels(figure: Figure) -> dict[str, Axes]:
    """Empty axes side by side, by mode of the evaluation."""
    return dict(zip(MODES, figure.subplots(1, len(MODES), sharey=True), strict=True))


def label_panels(by_mode: Mapping[str, Axes], definition: Definition) -> None:
    """Scales and names of `panels`, once the curves are drawn."""
    for place, (mode, axes) in enumerate(by_mode.items()):
        axes.set_title(f"{style.letter(place)} {BOXES[mode]}", loc="left")
        axes.set_xscale("log")
        axes.set_xlim(LEFT, RIGHT)
        axes.set_ylim(0, 1.02)
        axes.xaxis.set_major_locator(FixedLocator(_TICKS))
        axes.xaxis.set_major_formatter(FixedFormatter([f"{tick:g}" for tick in _TICKS]))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel("False positives per image")
        axes.set_ylabel(f"True positive rate ({definition.rule})" if place == 0 else "")
