"""Heat maps of experiment 4: what each model reaches on each data set."""

import textwrap

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure

from mammoflow.report.figures import style
from mammoflow.report.tables.presentation import NONE
from mammoflow.report.tables.transfer import CARRIED

_TPR = f"tpr_mean_at_{CARRIED:g}"
# Characters of a line below a column.
_WIDTH = 12

# Title, column, ends of its interval, and colours of each panel.
_PANELS = (
    (
        f"TPR at {CARRIED:g} FPI",
        _TPR,
        (f"bootstrap_low_at_{CARRIED:g}", f"bootstrap_high_at_{CARRIED:g}"),
        {"cmap": "viridis", "norm": Normalize(0, 1)},
    ),
    ("Az of patches", "az_mean", ("az_low", "az_high"), {"cmap": "viridis", "norm": Normalize(0.5, 1)}),
    # White: as on the own data; one colour for more, and one for fewer.
    (
        "FPI, carried over",
        f"fpi_carried_at_{CARRIED:g}",
        None,
        {"cmap": "RdBu_r", "norm": LogNorm(CARRIED / 8, CARRIED * 8, clip=True)},
    ),
)


@style.styled
def draw(table: pd.DataFrame) -> Figure:
    """Three heat maps: a row for each model, a column for each data set that it is tested on.

    Parameters
    ----------
    table : pandas.DataFrame
        Of `tables.transfer.table`; fixed candidates are shown.

    Returns
    -------
    Figure
        Numbers are means over folds, below them intervals of the patients' bootstrap. Empty: not tested.
    """
    table = table[table["mode"] == "candidate"]
    several = table["network"].nunique() > 1
    models = table["network"] + ", " + table["cascade"] if several else table["cascade"]
    table = table.assign(model=models)
    rows, columns = table["model"].unique(), table["tested_on"].unique()
    figure = style.new(style.PAGE, 0.9 + 0.42 * len(rows))
    panels = figure.subplots(1, len(_PANELS), sharey=True)
    for place, (axes, (title, column, ends, colours)) in enumerate(zip(panels, _PANELS, strict=True)):
        grid = table.pivot(index="model", columns="tested_on", values=column).loc[rows, columns]
        words = {(row["model"], row["tested_on"]): _words(row, column, ends) for _, row in table.iterrows()}
        _panel(axes, grid.astype(float), words, colours)
        axes.set_title(f"{style.letter(place)} {title}", loc="left")
    panels[0].set_ylabel("Trained on")
    return figure


def _words(row: pd.Series, column: str, ends: tuple[str, str] | None) -> str:
    value = NONE if pd.isna(row[column]) else f"{row[column]:.2f}"
    if ends is None or pd.isna(row[ends[0]]):
        return value
    return f"{value}\n({row[ends[0]]:.2f}{NONE}{row[ends[1]]:.2f})"


def _panel(axes: Axes, grid: pd.DataFrame, words: dict[tuple[str, str], str], colours: dict) -> None:
    text = np.array([[words.get((model, tested), "") for tested in grid.columns] for model in grid.index])
    sns.heatmap(
        grid, ax=axes, annot=text, fmt="", cbar=False, linewidths=1, annot_kws={"size": 6.5}, **colours
    )
    axes.grid(False)
    axes.set(xlabel="Tested on", ylabel="")
    axes.set_xticklabels([textwrap.fill(name, _WIDTH) for name in grid.columns])
    axes.tick_params(left=False, bottom=False, labelrotation=0)
