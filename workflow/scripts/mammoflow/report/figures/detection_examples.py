"""Draws figure 4: examples of correct detections, false positives and missed masses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mammoflow.breasts.image_store import StoredImage
from mammoflow.report.examples import CORRECT, MISSED, WRONG, Example
from mammoflow.report.figures import mammogram, style
from mammoflow.report.naming import BOXES, boxes_at
from mammoflow.report.tables.presentation import NONE

# Examples wanted of each kind, and what to say where there is none.
NUMBERS = {CORRECT: 2, WRONG: 2, MISSED: 2}
_ABSENT = {CORRECT: "no correct detection", WRONG: "no false positive", MISSED: "no mass missed"}

# Examples in a row; each is drawn once for each kind of boxes.
_ABREAST = 2


@dataclass(frozen=True)
class Panel:
    """One example and what is drawn of it.

    Attributes
    ----------
    example : Example
        Why it is shown.
    image : StoredImage
        The mammogram.
    boxes : mapping of str to pandas.DataFrame
        All boxes on it at the operating threshold of each mode, as `examples.examine` gives them; first of
        the mode that the example was chosen by.
    view : str
        Side and view in print, as ``R MLO``; empty where unknown.
    spacing_mm : float
        Of the original image's pixels; NaN where unknown.
    """

    example: Example
    image: StoredImage
    boxes: Mapping[str, pd.DataFrame]
    view: str
    spacing_mm: float


@style.styled
def draw(panels: Sequence[Panel], thresholds: Mapping[str, float], title: str) -> Figure:
    """Mammograms with annotated contours and boxes, each with the boxes of each mode side by side.

    Parameters
    ----------
    panels : sequence of Panel
        In the order of `NUMBERS`; any number of each kind.
    thresholds : mapping of str to float
        The operating threshold of each mode; the first is the mode that the examples were chosen by.
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
    abreast = min(places, _ABREAST)
    rows, pictures = ceil(places / abreast), len(thresholds)
    figure = style.new(style.PAGE, 0.75 + 2.9 * rows)
    grid = figure.subplots(rows, abreast * pictures, squeeze=False).reshape(rows * abreast, pictures)
    for place, (pair, panel) in enumerate(zip(grid, panels, strict=False)):
        name = f"{style.letter(place)} {panel.example.kind}, {panel.view or NONE}"
        for axes, mode, first_line in zip(pair, thresholds, [name, *[""] * (pictures - 1)], strict=True):
            _draw_picture(axes, panel, panel.boxes[mode])
            axes.set_title(f"{first_line}\n{BOXES[mode]}", loc="left", fontsize=7)
    for pair, words in zip(grid[len(panels) :], absent, strict=False):
        for axes in pair:
            mammogram.bare(axes)
        pair[0].text(0.5, 0.5, words, transform=pair[0].transAxes, ha="center", va="center", color=style.GREY)
    for axes in grid[places:].flat:
        axes.remove()
    at = "; ".join(boxes_at(mode, threshold) for mode, threshold in thresholds.items())
    figure.suptitle(f"{title}\n{at}", fontsize=8, x=0.01, ha="left")
    figure.legend(handles=key(), loc="outside lower center", ncols=4)
    return figure


def _draw_picture(axes: Axes, panel: Panel, boxes: pd.DataFrame) -> None:
    mammogram.show(axes, panel.image)
    mammogram.outline(axes, panel.image)
    mammogram.draw_boxes(axes, panel.image, boxes)
    mammogram.scale_bar(axes, panel.image, panel.spacing_mm)


def key() -> list[Line2D]:
    """What the lines on a mammogram are, for a legend."""
    lines = (
        ("annotated mass", style.ANNOTATION, "-"),
        ("true positive", style.HIT, "-"),
        ("false positive", style.FALSE_ALARM, "--"),
        ("further box on a hit mass", style.GREY, ":"),
    )
    return [Line2D([], [], color=colour, ls=dash, lw=1.2, label=label) for label, colour, dash in lines]
