"""Draws figure 4: examples of correct detections, false positives and missed masses."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mammoflow.breasts.image_store import StoredImage
from mammoflow.report.examples import CORRECT, MISSED, WRONG, Example
from mammoflow.report.figures import mammogram, style
from mammoflow.report.tables.presentation import NONE

# Examples wanted of each kind, and what to say where there is none.
NUMBERS = {CORRECT: 4, WRONG: 2, MISSED: 2}
_ABSENT = {CORRECT: "no correct detection", WRONG: "no false positive", MISSED: "no mass missed"}
_COLUMNS = 4


@dataclass(frozen=True)
class Panel:
    """One example and what is drawn of it.

    Attributes
    ----------
    example : Example
        Why it is shown.
    image : StoredImage
        The mammogram.
    boxes : pandas.DataFrame
        All boxes on it at the operating threshold, as `examples.examine` gives them.
    view : str
        Side and view in print, as ``R MLO``; empty where unknown.
    spacing_mm : float
        Of the original image's pixels; NaN where unknown.
    """

    example: Example
    image: StoredImage
    boxes: pd.DataFrame
    view: str
    spacing_mm: float


@style.styled
def draw(panels: Sequence[Panel], threshold: float, title: str) -> Figure:
    """Mammograms with annotated contours and boxes.

    Parameters
    ----------
    panels : sequence of Panel
        In the order of `NUMBERS`; any number of each kind.
    threshold : float
        The operating threshold.
    title : str
        Network, cascade and data set.

    Returns
    -------
    Figure
        Contours blue; true positives green and solid, false positives red and dashed, further boxes
        on a mass that is hit already grey and dotted.

    References
    ----------
    Section 3, experiment 3, figure 4.
    """
    absent = [_ABSENT[kind] for kind in NUMBERS if kind not in {panel.example.kind for panel in panels}]
    places = len(panels) + len(absent)
    rows = ceil(places / _COLUMNS)
    figure = style.new(style.PAGE, 0.6 + 3.0 * rows)
    grid = figure.subplots(rows, min(places, _COLUMNS), squeeze=False)
    for place, (axes, panel) in enumerate(zip(grid.flat, panels, strict=False)):
        mammogram.show(axes, panel.image)
        mammogram.outline(axes, panel.image)
        mammogram.draw_boxes(axes, panel.image, panel.boxes)
        mammogram.scale_bar(axes, panel.image, panel.spacing_mm)
        axes.set_title(
            f"{style.letter(place)} {panel.example.kind}, {panel.view or NONE}", loc="left", fontsize=7
        )
    for axes, words in zip(grid.flat[len(panels) :], absent, strict=False):
        mammogram.bare(axes)
        axes.text(0.5, 0.5, words, transform=axes.transAxes, ha="center", va="center", color=style.GREY)
    for axes in grid.flat[places:]:
        axes.remove()
    at = "no box at any threshold" if threshold == float("inf") else f"threshold {threshold:g}"
    figure.suptitle(f"{title}; {at}", fontsize=8, x=0.01, ha="left")
    figure.legend(handles=key(), loc="outside lower center", ncols=4)
    return figure


def key() -> list[Line2D]:
    """What the lines on a mammogram are, for a legend."""
    lines = (
        ("annotated mass", style.ANNOTATION, "-"),
        ("true positive", style.HIT, "-"),
        ("false positive", style.FALSE_ALARM, "--"),
        ("further box on a hit mass", style.GREY, ":"),
    )
    return [Line2D([], [], color=colour, ls=dash, lw=1.2, label=label) for label, colour, dash in lines]
