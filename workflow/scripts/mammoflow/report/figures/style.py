"""Defines the style of all figures, and writes them to files."""

from pathlib import Path

import matplotlib
import seaborn as sns
from matplotlib.figure import Figure

from mammoflow.base import storage

# Inches: one and two columns of a journal.
COLUMN, PAGE = 3.5, 7.2

# Okabe and Ito's colours, told apart by colour-blind readers too.
SERIES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
INK, GREY = "#222222", "#777777"

# Patches with a mass, and without.
POSITIVE, NEGATIVE = "#E69F00", "#CC79A7"

# On mammograms: annotation, true positive, false positive.
ANNOTATION, HIT, FALSE_ALARM = "#56B4E9", "#00C853", "#FF3D3D"

# The look of a journal, over seaborn's: every figure is drawn in it.
_THEME = {
    **sns.axes_style("whitegrid"),
    **sns.plotting_context("paper"),
    "font.family": "DejaVu Sans",
    "font.size": 7.5,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "axes.edgecolor": INK,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.5,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "xtick.bottom": True,
    "ytick.left": True,
    "legend.title_fontsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "legend.handlelength": 1.8,
    "lines.linewidth": 1.6,
    # A dollar in a label is a dollar.
    "text.parse_math": False,
    "figure.dpi": 200,
    "savefig.dpi": 200,
    "svg.hashsalt": "mammoflow",
}

# A decorator for everything that draws or writes; it changes no global setting.
styled = matplotlib.rc_context(_THEME)


def new(width: float, height: float) -> Figure:
    """Empty figure of a size in inches, whose parts make room for each other."""
    return Figure(figsize=(width, height), layout="constrained")


def letter(place: int) -> str:
    """Letter of a panel, as in ``(a)``."""
    return f"({chr(ord('a') + place)})"


@styled
def save(figure: Figure, png: str | Path, svg: str | Path | None = None) -> None:
    """Write a figure as PNG, and as SVG where that is asked for; the same figure gives the same bytes."""
    # Lay it out once: another pass may move its parts by a rounding error.
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for path, metadata in ((png, {}), (svg, {"Date": None}))[: 2 if svg else 1]:
        with storage.whole(path) as temporary:
            figure.savefig(temporary, metadata=metadata)
