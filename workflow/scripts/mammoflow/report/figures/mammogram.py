"""Draws a stored image on axes, with its annotation, boxes and scale bar.

Axes are in stored pixels: pixel (i, j) covers the square from (i, j) to (i + 1, j + 1).
"""

from math import isnan

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar
from matplotlib.patches import Rectangle

from mammoflow.base.boxes import BOX
from mammoflow.breasts import preparation
from mammoflow.breasts.image_store import StoredImage
from mammoflow.report import examples
from mammoflow.report.figures import style

# Longest side of a picture in the figure, in pixels.
_LARGEST = 900

_BARS_MM = (50, 20, 10, 5, 2, 1)
_COLOURS = {examples.TRUE: style.HIT, examples.FALSE: style.FALSE_ALARM, examples.DUPLICATE: "#DDDDDD"}
_DASHES = {examples.TRUE: "-", examples.FALSE: "--", examples.DUPLICATE: ":"}
_PLATE = {"facecolor": "black", "alpha": 0.55, "edgecolor": "none", "pad": 0.6}


def show(axes: Axes, image: StoredImage) -> None:
    """Grey values between percentiles 1 and 99.9 of the breast; outside it black."""
    low, high = np.percentile(image.pixels[image.breast], [1, 99.9]) if image.breast.any() else (0, 1)
    picture = reduced(np.where(image.breast, image.pixels, low))
    axes.imshow(picture, cmap="gray", vmin=low, vmax=max(high, low + 1), extent=extent(image.breast.shape))
    bare(axes)


def bare(axes: Axes) -> None:
    """No ticks, no frame; at the top of its place."""
    axes.set_axis_off()
    axes.set_anchor("N")


def extent(shape: tuple[int, int]) -> tuple[float, float, float, float]:
    """Extent for ``imshow`` of an array that covers a stored image of this shape."""
    return 0, shape[1], shape[0], 0


def reduced(array: np.ndarray) -> np.ndarray:
    """Area average of an array, no larger than it is printed; (m, n) float32."""
    return preparation.shrink(array, max(1.0, max(array.shape) / _LARGEST))


def outline(axes: Axes, image: StoredImage) -> None:
    """Contours of the annotated masses."""
    for label in range(1, int(image.lesions.max(initial=0)) + 1):
        contour(axes, image.lesions == label, style.ANNOTATION)


def contour(axes: Axes, mask: np.ndarray, colour: str, width: float = 0.9) -> None:
    """Contour of the true pixels of an (M, N) bool mask, closed at the image's edge."""
    if not mask.any():
        return
    padded = np.pad(mask, 1)
    cover = reduced(padded)
    step = max(padded.shape) / max(cover.shape)
    rows, columns = ((np.arange(size) + 0.5) * step - 1 for size in cover.shape)
    axes.contour(columns, rows, cover, [0.5], colors=[colour], linewidths=[width])


def draw_boxes(axes: Axes, image: StoredImage, boxes: pd.DataFrame, scores: bool = True) -> None:
    """Boxes with their scores: green, solid for a hit; red, dashed for a false positive.

    Parameters
    ----------
    axes : Axes
        Of `show`.
    image : StoredImage
        The image.
    boxes : pandas.DataFrame
        Columns y0, x0, y1, x1 in original pixels, score, verdict.
    scores : bool
        Whether to print them.
    """
    stored = image.geometry.to_stored(boxes[BOX].to_numpy())
    for (y0, x0, y1, x1), score, verdict in zip(stored, boxes["score"], boxes["verdict"], strict=True):
        colour = _COLOURS[verdict]
        axes.add_patch(
            Rectangle(
                (x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=colour, linestyle=_DASHES[verdict], lw=1.1
            )
        )
        if scores and verdict != examples.DUPLICATE:
            inside = y0 < 0.03 * image.breast.shape[0]  # above the box would be above the image
            axes.annotate(
                f"{score:.2f}",
                (x0, y0),
                (2, -2.5) if inside else (0, 2.5),
                textcoords="offset points",
                va="top" if inside else "bottom",
                color=colour,
                fontsize=6,
                bbox=_PLATE,
            )


def scale_bar(axes: Axes, image: StoredImage, spacing_mm: float) -> None:
    """Bar of a round length in mm, where the pixel spacing is known; else a word that it is not.

    Parameters
    ----------
    axes : Axes
        Of `show`.
    image : StoredImage
        The image.
    spacing_mm : float
        Spacing of the original's pixels; NaN where unknown.
    """
    height, width = image.breast.shape
    if isnan(spacing_mm):
        axes.text(
            0.97, 0.02, "spacing unknown", transform=axes.transAxes, color="white", fontsize=5.5, ha="right"
        )
        return
    pixel = spacing_mm * image.geometry.factor
    length = next((bar for bar in _BARS_MM if bar <= 0.35 * width * pixel), _BARS_MM[-1])
    right, y = 0.96 * width, 0.975 * height
    axes.plot([right - length / pixel, right], [y, y], color="white", lw=1.6, solid_capstyle="butt")
    axes.text(
        right - length / pixel / 2,
        y - 0.012 * height,
        f"{length} mm",
        color="white",
        fontsize=5.5,
        ha="center",
        va="bottom",
    )


def label_of_map(bar: Colorbar, threshold: float | None) -> None:
    """Label of a colour bar of probabilities, with a line at the threshold of a map, if boxes have one."""
    bar.set_label("Mass probability", fontsize=7)
    if threshold is not None:
        bar.ax.axhline(min(threshold, 1), color="white", lw=1.2)
        bar.set_label("Mass probability; line: threshold", fontsize=7)
