"""Draws figure 5: FROC curves by lesion size."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mammoflow.evaluation.definitions import Evaluation
from mammoflow.report import literature, naming
from mammoflow.report.figures import style
from mammoflow.report.figures.froc_axes import draw_curve, label_panels, panels, reached
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
        The definition to show, in each mode.
    chain : str
        ``dataset/backbone/init``.
    labels : mapping
        As in `naming`.

    Returns
    -------
    Figure
        A panel for the paper's boxes and one for fixed candidates: mean and 95 % interval over the folds that
        have such masses; the paper's TPR at 0.5 FPI as markers.

    References
    ----------
    Section 3, experiment 3, figure 5.
    """
    figure = style.new(style.PAGE, 3.9)
    by_mode = panels(figure)
    edges = evaluation.size_strata_cm2
    for definition in evaluation.in_modes(chain):
        axes = by_mode[definition.mode]
        for stratum, colour in zip(_MARKERS, style.SERIES, strict=False):
            of_size = replace(definition, subset=stratum)
            _draw_stratum(axes, of_size.rows(points), of_size.rows(curve), stratum, colour, edges)
    label_panels(by_mode, evaluation.definition)
    handles, names = axes.get_legend_handles_labels()
    order = [*range(0, len(names), 2), *range(1, len(names), 2)]
    figure.legend([handles[i] for i in order], [names[i] for i in order], loc="outside lower left", ncols=2)
    figure.suptitle(naming.experiment(chain, labels), fontsize=8, x=0.01, ha="left")
    return figure


def _draw_stratum(
    axes: Axes,
    points: pd.DataFrame,
    curve: pd.DataFrame,
    stratum: str,
    colour: str,
    edges: Sequence[float],
) -> None:
    """Curve of the masses of a size, and the paper's point."""
    lesions = int(points.drop_duplicates("fold")["targets"].sum())
    found = f"masses {lesions}, folds {points['fold'].nunique()}" if lesions else "no mass"
    draw_curve(axes, curve, colour, f"{stratum}, {_size(stratum, edges)}: {found}", reached(points))
    marker, size = _MARKERS[stratum]
    axes.plot(
        literature.SIZE_FPI,
        literature.SIZE_TPR[stratum],
        marker,
        ms=size,
        color=colour,
        markerfacecolor="none",
        markeredgewidth=1.2,
        ls="none",
        label=f"{stratum}, Agarwal et al. 2019 on INbreast",
        zorder=5,
    )


def _size(stratum: str, edges: Sequence[float]) -> str:
    low, high = edges
    return {"small": f"< {low:g} cm²", "medium": f"{low:g}–{high:g} cm²", "large": f"> {high:g} cm²"}[stratum]
