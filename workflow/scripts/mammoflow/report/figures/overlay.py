"""Draws a mammogram next to a copy with its probability map and boxes."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from mammoflow.breasts.image_store import StoredImage
from mammoflow.report.figures import detection_examples, mammogram, style
from mammoflow.report.naming import boxes_at

_COLOURS = "inferno"

# Of a pixel of probability 1.
_OPACITY = 0.6


@style.styled
def draw(
    image: StoredImage,
    values: np.ndarray,
    boxes: pd.DataFrame,
    threshold: float,
    mode: str,
    spacing_mm: float,
    title: str,
) -> Figure:
    """The image with the contours of its masses; again with its map and boxes.

    Parameters
    ----------
    image : StoredImage
        The mammogram.
    values : (M, N) float32 array
        Its mass probability map.
    boxes : pandas.DataFrame
        Boxes at the threshold, as `examples.judge` gives them.
    threshold : float
        Infinite where there is no box at any.
    mode : {"paper", "candidate"}
        Kind of the boxes.
    spacing_mm : float
        Of the original image's pixels; NaN where unknown.
    title : str
        The image, and the model.

    Returns
    -------
    Figure
    """
    rows, columns = image.breast.shape
    width = (style.PAGE - 0.8) / 2
    figure = style.new(style.PAGE, float(np.clip(width * rows / columns, 2, 9)) + 0.8)
    plain, found, scale = figure.subplots(1, 3, width_ratios=[1, 1, 0.04])
    for axes in (plain, found):
        mammogram.show(axes, image)
        mammogram.outline(axes, image)
    mammogram.scale_bar(plain, image, spacing_mm)
    heat = _heat(found, values)
    mammogram.draw_boxes(found, image, boxes)
    bar = figure.colorbar(heat, cax=scale)
    mammogram.label_of_map(bar, threshold if mode == "paper" else None)
    figure.suptitle(f"{title}\n{boxes_at(mode, threshold)}", fontsize=8, x=0.01, ha="left")
    figure.legend(handles=detection_examples.key(), loc="outside lower center", ncols=4)
    return figure


def _heat(axes: Axes, values: np.ndarray) -> AxesImage:
    """Map over the image, as opaque as it is probable."""
    picture = mammogram.reduced(values)
    return axes.imshow(
        picture,
        cmap=_COLOURS,
        vmin=0,
        vmax=1,
        alpha=_OPACITY * picture,
        extent=mammogram.extent(values.shape),
    )
