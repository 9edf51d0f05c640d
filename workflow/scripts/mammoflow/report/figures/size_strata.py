"""Draws figure 5: FROC curves by lesion size."""

from dataclasses import replace

import pandas as pd
from matplotlib.figure import Figure

from mammoflow.evaluation.definitions import Evaluation
from mammoflow.report import literature, naming
from mammoflow.report.figures import style
from mammoflow.report.figures.froc_axes import draw_curve, label_axes, reached
from mammoflow.report.naming import Labels

# Shape and size: two of the paper's points coincide.
_MARKERS = {"small": ("o", 5.5), "medium": ("D", 8), "large": ("s", 4.5)}


@style.styled
def draw(
    points: pd.DataFrame, curve: pd.DataFrame, evaluation: Evaluation, chain: str, labels: Labels
) -> Figure:
    """TPR against false positives per image for small, medium and large masses.

    Parameters
    ----------
    points, curve : pandas.DataFrame
        Tables ``froc-points`` and ``froc-curve`` of the chain.
    evaluation : Evaluation
        The definition to show.
    chain : str
        ``dataset/backbone/init``.
    labels : mapping
        As in `naming`.

    Returns
    -------
    Figure
        Mean and 95 % interval over the folds that have such masses; the paper's TPR at 0.5 FPI as markers.

    References
    ----------
    Section 3, experiment 3, figure 5.
    """
    figure = style.new(style.PAGE, 3.4)
    axes = figure.subplots()
    for (stratum, marker), colour in zip(_MARKERS.items(), style.SERIES, strict=False):
        definition = replace(evaluation.definition, subset=stratum)
        its_points, its_curve = (definition.rows(table) for table in (points, curve))
        lesions = int(its_points.drop_duplicates("fold")["targets"].sum())
        folds = its_points["fold"].nunique()
        found = f"masses {lesions}, folds {folds}" if lesions else "no mass"
        size = _size(stratum, evaluation.size_strata_cm2)
        draw_curve(axes, its_curve, colour, f"{stratum}, {size}: {found}", reached(its_points))
        axes.plot(
            literature.SIZE_FPI,
            literature.SIZE_TPR[stratum],
            marker[0],
            ms=marker[1],
            color=colour,
            markerfacecolor="none",
            markeredgewidth=1.2,
            ls="none",
            label=f"{stratum}, Agarwal et al. 2019 on INbreast",
            zorder=5,
        )
    handles, names = axes.get_legend_handles_labels()
    order = [*range(0, len(names), 2), *range(1, len(names), 2)]
    figure.legend(
        [handles[i] for i in order], [names[i] for i in order], loc="outside right upper", alignment="left"
    )
    axes.set_title(naming.experiment(chain, labels), loc="left")
    label_axes(axes, evaluation.definition)
    return figure


def _size(stratum: str, edges: tuple[float, float]) -> str:
    low, high = edges
    return {"small": f"< {low:g} cm²", "medium": f"{low:g}–{high:g} cm²", "large": f"> {high:g} cm²"}[stratum]
