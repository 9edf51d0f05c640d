"""Accuracy and Az of every run and fold over their mean: what tables 2 and 3 summarise."""

from collections.abc import Mapping, Sequence

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mammoflow.report import naming
from mammoflow.report.figures import style
from mammoflow.report.naming import Labels
from mammoflow.report.tables.presentation import NONE

_MEASURES = {"accuracy_percent": "Accuracy (%)", "az": "Az"}


@style.styled
def draw(experiments: Mapping[str, Sequence[Mapping]], labels: Labels) -> Figure:
    """A point for each training, and the mean and sample deviation of each model.

    Parameters
    ----------
    experiments : mapping of str to sequence of mapping
        Trainings of each experiment, by its title: keys dataset, backbone, init, fold, run, accuracy (a
        fraction) and az, which may be missing.
    labels : mapping
        As in `naming`.

    Returns
    -------
    Figure
        A row of panels for each experiment, a column for each measure. Colours are initialisations. A model
        one of whose trainings has no value has no mean, as in the tables, but a dash.

    References
    ----------
    Sections 3.1 and 3.2, tables 2 and 3.
    """
    tables = {title: _table(rows, labels) for title, rows in experiments.items()}
    inits = list(dict.fromkeys(init for table in tables.values() for init in table["init"]))
    colours = {init: style.SERIES[place % len(style.SERIES)] for place, init in enumerate(inits)}
    models = [table["model"].nunique() for table in tables.values()]
    figure = style.new(style.PAGE, 0.6 * len(tables) + 0.32 * sum(models))
    grid = figure.subplots(len(tables), len(_MEASURES), squeeze=False, height_ratios=models)
    panels = [(table, measure) for table in tables.values() for measure in _MEASURES]
    for axes, (table, measure) in zip(grid.flat, panels, strict=True):
        _panel(axes, table, measure, colours)
    for place, (row, title) in enumerate(zip(grid, tables, strict=True)):
        row[0].set_title(f"{style.letter(place)} {title}", loc="left")
        for axes in row[1:]:
            axes.tick_params(left=False, labelleft=False)
        for axes, measure in zip(row, _MEASURES.values(), strict=True):
            axes.set_xlabel(measure)
    return figure


def _table(rows: Sequence[Mapping], labels: Labels) -> pd.DataFrame:
    table = pd.DataFrame(list(rows))
    return table.assign(
        accuracy_percent=100 * table["accuracy"],
        model=[
            f"{labels['backbones'][row['backbone']]}, {naming.initialization(row['init'], labels)}"
            for row in rows
        ],
    )


def _panel(axes: Axes, table: pd.DataFrame, measure: str, colours: Mapping[str, str]) -> None:
    order = list(dict.fromkeys(table["model"]))
    complete = table[measure].notna().groupby(table["model"]).transform("all")
    where = {"x": measure, "y": "model", "order": order, "ax": axes}
    sns.stripplot(
        table,
        **where,
        hue="init",
        palette=colours,
        jitter=False,
        size=4.5,
        alpha=0.55,
        linewidth=0,
        legend=False,
    )
    sns.pointplot(
        table[complete],
        **where,
        errorbar="sd",
        linestyle="none",
        marker="|",
        markersize=11,
        markeredgewidth=1.4,
        err_kws={"linewidth": 0.9},
        color=style.INK,
    )
    for model in dict.fromkeys(table.loc[~complete, "model"]):
        axes.text(
            0.99, order.index(model), NONE, transform=axes.get_yaxis_transform(), ha="right", va="center"
        )
    if table[measure].isna().all():
        axes.set_xticks([])
    axes.set(ylabel="")
    axes.grid(axis="y", visible=False)
