"""Draws the FROC curve of one set of boxes on one set of images."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mammoflow.evaluation import froc
from mammoflow.evaluation.definitions import Definition
from mammoflow.report.figures import froc_axes, style


@style.styled
def draw(points: pd.DataFrame, operating_points: pd.DataFrame, definition: Definition, title: str) -> Figure:
    """TPR against false positives per image, with the interval at each operating point.

    Parameters
    ----------
    points, operating_points : pandas.DataFrame
        Tables ``froc-points`` and ``froc-operating-points`` of the definition, of one fold.
    definition : Definition
        Mode ``candidate``.
    title : str
        What was evaluated.

    Returns
    -------
    Figure
        The curve as steps, as far as it goes; the 95 % intervals of the bootstrap as bars.
    """
    figure = style.new(style.COLUMN, 3.2)
    axes = figure.subplots()
    at = froc.CURVE_FPI[points["fpi"].max() >= froc.CURVE_FPI]
    tpr, _ = froc.tpr_at(points["tpr"].to_numpy(), points["fpi"].to_numpy(), at)
    axes.plot(at, tpr, drawstyle="steps-post", color=style.SERIES[0])
    mean = operating_points["tpr_mean"].to_numpy()
    limits = [operating_points[f"bootstrap_{side}"].to_numpy() for side in ("low", "high")]
    spread = np.abs([mean - limits[0], limits[1] - mean])
    axes.errorbar(operating_points["fpi"], mean, spread, fmt="o", ms=3, lw=0.8, color=style.SERIES[0])
    froc_axes.label_panels({definition.mode: axes}, definition)
    axes.set_title(title, loc="left")
    return figure
