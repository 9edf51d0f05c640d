"""Draws figure 2: validation loss of every network, from random and from pretrained weights."""

from collections.abc import Mapping, Sequence
from math import log

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mammoflow.report import naming
from mammoflow.report.figures import style
from mammoflow.report.naming import Labels

# Loss of a network that answers one half always.
CHANCE = log(2)

# Losses above this lie outside the axes, or the first epochs would hide the rest.
_HIGHEST = 2 * CHANCE


@style.styled
def draw(
    runs: Sequence[Mapping[str, str | int]], histories: Sequence[pd.DataFrame], labels: Labels
) -> Figure:
    """Loss against epochs: faint runs, a dot at the best epoch of each, their mean and deviation in bold.

    Parameters
    ----------
    runs : sequence of mapping
        Keys dataset, backbone, init, fold and run.
    histories : sequence of pandas.DataFrame
        Table ``history`` of each run.
    labels : mapping
        As in `naming`.

    Returns
    -------
    Figure
        A panel for each network. The mean is of the epochs in which every run has a finite loss; its band is
        the sample deviation.

    References
    ----------
    Section 3, experiment 1, figure 2.
    """
    models: dict[str, dict[str, list[pd.DataFrame]]] = {}
    for run, history in zip(runs, histories, strict=True):
        models.setdefault(run["backbone"], {}).setdefault(run["init"], []).append(history)
    inits = list(dict.fromkeys(run["init"] for run in runs))
    colours = dict(zip(inits, _colours(len(inits)), strict=True))

    columns = min(len(models), 2)
    rows = -(-len(models) // columns)
    width = style.PAGE if columns == 2 else style.COLUMN
    figure = style.new(width, 0.5 + 2.1 * rows)
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
    for place, (axes, (backbone, by_init)) in enumerate(zip(grid.flat, models.items(), strict=False)):
        _panel(axes, {init: by_init[init] for init in inits if init in by_init}, colours)
        axes.set_title(f"{style.letter(place)} {labels['backbones'][backbone]}", loc="left")
    for axes in grid.flat[len(models) :]:
        axes.remove()
    _axes(grid, histories)

    datasets = " and ".join(dict.fromkeys(labels["datasets"][run["dataset"]] for run in runs))
    figure.legend(*_legend(grid, labels), loc="outside upper center", ncols=len(inits) + 1)
    figure.supylabel(f"Validation loss on {datasets}", fontsize=8)
    figure.supxlabel("Epoch", fontsize=8)
    return figure


def _colours(number: int) -> list[str]:
    return [style.SERIES[place % len(style.SERIES)] for place in range(number)]


def _panel(axes: Axes, by_init: Mapping[str, Sequence[pd.DataFrame]], colours: Mapping[str, str]) -> None:
    for init, histories in by_init.items():
        runs = pd.concat(
            [history.assign(run=run) for run, history in enumerate(histories)], ignore_index=True
        )
        best = pd.DataFrame([history.loc[history["validation_loss"].idxmin()] for history in histories])
        finite = runs[np.isfinite(runs["validation_loss"])]
        shared = finite[finite.groupby("epoch")["run"].transform("size") == len(histories)]
        loss = {"x": "epoch", "y": "validation_loss", "color": colours[init], "ax": axes, "legend": False}
        sns.lineplot(runs, units="run", estimator=None, lw=0.7, alpha=0.4, **loss)
        sns.scatterplot(best, s=9, alpha=0.7, linewidth=0, zorder=3, **loss)
        sns.lineplot(shared, errorbar="sd", err_kws={"alpha": 0.12, "lw": 0}, lw=2, label=init, **loss)
    axes.axhline(CHANCE, color=style.GREY, lw=0.8, ls=":", label="chance")


def _axes(grid: np.ndarray, histories: Sequence[pd.DataFrame]) -> None:
    highest = max(history["validation_loss"].max() for history in histories)
    grid[0, 0].set_ylim(0, min(max(1.05 * highest, 1.05 * CHANCE), _HIGHEST))
    for axes in grid.flat:
        axes.set(xlabel="", ylabel="")
        axes.xaxis.get_major_locator().set_params(integer=True)


def _legend(grid: np.ndarray, labels: Labels) -> tuple[list, list[str]]:
    named = {}
    for axes in grid.flat:
        handles, inits = axes.get_legend_handles_labels()
        named |= dict(zip(inits, handles, strict=True))
    chance = named.pop("chance")
    titles = [naming.initialization(init, labels) for init in named]
    return [*named.values(), chance], [*titles, "chance"]
