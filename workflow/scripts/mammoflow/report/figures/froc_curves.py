"""Draws figure 3: FROC curve of every chain, with published operating points."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mammoflow.evaluation.definitions import Evaluation, is_external
from mammoflow.report import literature, naming
from mammoflow.report.figures import style
from mammoflow.report.figures.froc_axes import LOOKS, draw_curve, draw_folds, draw_pooled, label_axes, reached
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
        The definition to show.
    labels : mapping
        As in `naming`.

    Returns
    -------
    Figure
        Of each chain the mean over folds (dotted where a fold's curve has ended), the 95 % interval of
        Student's t, the folds themselves, and dashed the curve pooled over all folds; published points as
        markers, all on INbreast.

    References
    ----------
    Section 3, experiment 3, figure 3.
    """
    figure = style.new(style.PAGE, 4.4)
    axes = figure.subplots()
    datasets = " and ".join(dict.fromkeys(naming.dataset(chain, labels) for chain in curves))
    headings = {False: f"This run, on {datasets}", True: f"Boxes of others, on {datasets}"}
    said = [_PUBLISHED, _LINES]
    for place, chain in enumerate(curves):
        if (heading := headings[is_external(chain)]) not in said:
            said.append(heading)
            axes.plot([], [], ls="none", label=heading)
        colour = style.SERIES[place % len(style.SERIES)]
        definition = evaluation.definition_of(chain)
        its_points = definition.rows(points[chain])
        draw_folds(axes, its_points, colour)
        label = naming.experiment(chain, labels).replace(", ", "\n", 1)
        draw_curve(axes, definition.rows(curves[chain]), colour, label, reached(its_points))
        draw_pooled(axes, definition.rows(pooled[chain]), colour)
    axes.plot([], [], ls="none", label=_LINES)
    for name, look in LOOKS.items():
        axes.plot([], [], color=style.INK, label=name, **look)
    axes.plot([], [], ls="none", label=_PUBLISHED)
    _published(axes)
    for text in figure.legend(loc="outside right upper").get_texts():
        text.set_fontweight("bold" if text.get_text() in said else "normal")
    axes.set_title(f"Detection of masses on {datasets}", loc="left")
    label_axes(axes, evaluation.definition)
    return figure


def _published(axes: Axes) -> None:
    """Markers of every published point, one legend entry for each method, subset and hit rule."""
    table = literature.operating_points()
    series = table.groupby(["source", "method", "cascade", "subset", "hit_rule"], sort=False)
    for ((source, method, cascade, subset, hit_rule), rows), marker in zip(series, _MARKERS, strict=False):
        paper, strict = source == "paper", hit_rule == "IoU ≥ 0.5"
        what = ", ".join(filter(None, (method, subset, strict and hit_rule)))
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
            label="\n".join(filter(None, (what, cascade))),
            zorder=5,
        )
