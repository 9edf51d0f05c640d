"""Draws figure 3: FROC curve of every chain, with published operating points."""

import itertools
from collections.abc import Iterator, Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mammoflow.evaluation.definitions import Evaluation, is_external
from mammoflow.report import literature, naming
from mammoflow.report.figures import style
from mammoflow.report.figures.froc_axes import (
    LOOKS,
    draw_curve,
    draw_folds,
    draw_pooled,
    label_panels,
    panels,
    reached,
)
from mammoflow.report.naming import Labels

_MARKERS = "*sDv^<>PhXpd8"
_PUBLISHED, _LINES = "Published, on INbreast", "Lines"


@style.styled
def draw(
    points: Mapping[str, pd.DataFrame],
    curves: Mapping[str, pd.DataFrame],
    pooled: Mapping[str, pd.DataFrame],
    evaluation: Evaluation,
    labels: Labels,
) -> Figure:
    """TPR against false positives per image.

    Parameters
    ----------
    points, curves, pooled : mapping of str to pandas.DataFrame
        Tables ``froc-points``, ``froc-curve`` and ``froc-pooled`` of each chain; external ones last.
    evaluation : Evaluation
        The definition to show, in each mode.
    labels : mapping
        As in `naming`.

    Returns
    -------
    Figure
        A panel for the paper's boxes and one for fixed candidates; external boxes are in the second. Of each
        chain the mean over folds (dotted where a fold's curve has ended), the 95 % interval of Student's t,
        the folds themselves, and dashed the curve pooled over all folds; published points as markers, all on
        INbreast.

    References
    ----------
    Section 3, experiment 3, figure 3.
    """
    figure = style.new(style.PAGE, 5.2 + 0.24 * max(0, len(curves) - 3))
    by_mode = panels(figure)
    colours = dict(zip(curves, itertools.cycle(style.SERIES), strict=False))
    for chain, colour in colours.items():
        for definition in evaluation.in_modes(chain):
            axes, its_points = by_mode[definition.mode], definition.rows(points[chain])
            draw_folds(axes, its_points, colour)
            label = naming.experiment(chain, labels)
            draw_curve(axes, definition.rows(curves[chain]), colour, label, reached(its_points))
            draw_pooled(axes, definition.rows(pooled[chain]), colour)
    for axes in by_mode.values():
        _published(axes)
    label_panels(by_mode, evaluation.definition)
    figure.suptitle(f"Detection of masses on {_datasets(curves, labels)}", fontsize=8, x=0.01, ha="left")
    left = figure.legend(handles=list(_key(colours, labels)), loc="outside lower left", fontsize=6.5)
    for line, text in zip(left.get_lines(), left.get_texts(), strict=True):
        text.set_fontweight("bold" if line.get_linestyle() == "None" else "normal")
    figure.legend(
        handles=axes.containers,
        loc="outside lower right",
        title=_PUBLISHED,
        title_fontproperties={"weight": "bold", "size": 6.5},
        alignment="left",
        ncols=2,
        fontsize=6.5,
    )
    return figure


def _datasets(chains: Mapping[str, object], labels: Labels) -> str:
    return " and ".join(dict.fromkeys(naming.dataset(chain, labels) for chain in chains))


def _key(colours: Mapping[str, str], labels: Labels) -> Iterator[Line2D]:
    """Lines for a legend: those of each chain and of each kind, after a heading without a line."""
    datasets = _datasets(colours, labels)
    for external, heading in ((False, f"This run, on {datasets}"), (True, f"Boxes of others, on {datasets}")):
        chains = [chain for chain in colours if is_external(chain) == external]
        if chains:
            yield Line2D([], [], ls="none", label=heading)
        for chain in chains:
            name = naming.experiment(chain, labels).replace(", ", "\n", 1)
            yield Line2D([], [], color=colours[chain], label=name, lw=2)
    yield Line2D([], [], ls="none", label=_LINES)
    for name, look in LOOKS.items():
        yield Line2D([], [], color=style.INK, label=name, **look)


def _published(axes: Axes) -> None:
    """Markers of every published point, one legend entry for each method, subset and hit rule."""
    table = literature.operating_points()
    series = table.groupby(["source", "method", "cascade", "subset", "hit_rule"], sort=False)
    for ((source, method, cascade, subset, hit_rule), rows), marker in zip(series, _MARKERS, strict=False):
        paper, strict = source == "paper", hit_rule == "IoU ≥ 0.5"
        what = ", ".join(filter(None, (subset, strict and hit_rule)))
        axes.errorbar(
            rows["fpi"],
            rows["tpr_mean"],
            rows["tpr_std"] if rows["tpr_std"].notna().any() else None,
            fmt=marker,
            color=style.INK if paper else style.GREY,
            markerfacecolor=style.INK if paper and not strict else "white",
            ms=7 if marker == "*" else 4.5,
            elinewidth=0.6,
            markeredgewidth=0.8,
            label="\n".join(filter(None, (method, cascade, what))),
            zorder=5,
        )
