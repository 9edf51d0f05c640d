"""Draws figure-errors: where a model errs, in six panels."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mammoflow.report import detection_errors as errors
from mammoflow.report.figures import style
from mammoflow.report.naming import boxes_at

_MAPS = "cividis"
_AREAS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50)


@style.styled
def draw(table: pd.DataFrame, threshold: float, title: str) -> Figure:
    """Six panels of an ``errors`` table.

    Parameters
    ----------
    table : pandas.DataFrame
        Of `detection_errors.table`.
    threshold : float
        At which masses are found and false positives counted.
    title : str
        Network, cascade and data set.

    Returns
    -------
    Figure
        TPR by area with Wilson's interval; scores; calibration of patch probabilities; where false positives
        lie, for two views; agreement of the views.
    """
    figure = style.new(style.PAGE, 5.6)
    axes = figure.subplots(2, 3).ravel()
    places = table[table["panel"] == errors.PLACES]
    views = sorted(places.groupby("group")["n"].max().nlargest(2, keep="first").index)
    panels: list[tuple[str, Callable[[Axes], None]]] = [
        ("TPR by area of the mass", lambda each: _curve(each, _panel(table, errors.AREA))),
        ("scores", lambda each: _scores(each, _panel(table, errors.SCORES), threshold)),
        ("calibration of patches", lambda each: _calibration(each, _panel(table, errors.CALIBRATION))),
        *(
            (_name(view), lambda each, view=view: _place(figure, each, places[places["group"] == view]))
            for view in views
        ),
        ("agreement of views", lambda each: _views(each, _panel(table, errors.VIEWS))),
    ]
    for place, (axis, (name, draw_panel)) in enumerate(zip(axes, panels, strict=False)):
        draw_panel(axis)
        axis.set_title(f"{style.letter(place)} {name}", loc="left")
    for axis in axes[len(panels) :]:
        axis.remove()
    figure.suptitle(f"{title}\n{boxes_at('candidate', threshold)}", fontsize=8, x=0.01, ha="left")
    return figure


def _name(view: str) -> str:
    return f"false positives, {view}" if view else "false positives"


def _panel(table: pd.DataFrame, name: str) -> pd.DataFrame:
    return table[table["panel"] == name]


def _curve(axes: Axes, rows: pd.DataFrame) -> None:
    axes.fill_between(rows["x"], rows["low"], rows["high"], color=style.SERIES[0], alpha=0.2, lw=0)
    axes.plot(rows["x"], rows["value"], color=style.SERIES[0])
    axes.set(xscale="log", ylim=(0, 1.02), xlabel="area (cm²)", ylabel="TPR")
    if len(rows):
        ticks = [area for area in _AREAS if rows["x"].min() <= area <= rows["x"].max()]
        axes.set_xticks(ticks, [f"{area:g}" for area in ticks])
    axes.set_xticks([], minor=True)


def _scores(axes: Axes, rows: pd.DataFrame, threshold: float) -> None:
    never = rows[rows["x"].isna()]["value"].sum()
    for group, colour in ((errors.FALSE, style.SERIES[1]), (errors.MASS, style.SERIES[0])):
        bars = rows[(rows["group"] == group) & rows["x"].notna()]
        axes.step(
            bars["x"], bars["value"], where="mid", color=colour, label=f"{group} ({bars['value'].sum():g})"
        )
    if np.isfinite(threshold):
        axes.axvline(threshold, color=style.GREY, ls=":", lw=1)
    axes.set(yscale="symlog", xlabel=f"score; {never:g} masses have none", ylabel="number", xlim=(0, 1))
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter("{x:g}")
    axes.legend(loc="upper right")


def _place(figure: Figure, axes: Axes, rows: pd.DataFrame) -> None:
    y, x = (np.unique(rows[name]) for name in ("y", "x"))
    values, cover = (rows[name].to_numpy().reshape(len(y), len(x)) for name in ("value", "low"))
    image = axes.pcolormesh(x, y, values, cmap=_MAPS, vmin=0, shading="nearest", rasterized=True)
    if cover.min() < 0.5 < cover.max():
        axes.contour(x, y, cover, [0.5], colors="white", linewidths=1)
    axes.invert_yaxis()
    axes.set(xlabel="from the chest wall", ylabel="from the top", xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
    axes.grid(visible=False)
    figure.colorbar(image, ax=axes, label=f"per image and cell; {rows['n'].iloc[0]} in all")


def _views(axes: Axes, rows: pd.DataFrame) -> None:
    axes.bar(rows["group"], rows["value"], color=style.SERIES[0], width=0.6)
    axes.set(ylabel=f"breasts, of {rows['n'].max()}", xlabel="views with a found mass")
    axes.grid(visible=False, axis="x")


def _calibration(axes: Axes, rows: pd.DataFrame) -> None:
    axes.plot([0, 1], [0, 1], color=style.GREY, ls=":", lw=1)
    bars = np.abs(rows[["low", "high"]].to_numpy().T - rows["value"].to_numpy())
    axes.errorbar(rows["x"], rows["value"], yerr=bars, fmt="o-", ms=3, lw=1, color=style.SERIES[0])
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="probability", ylabel="share of mass patches")
