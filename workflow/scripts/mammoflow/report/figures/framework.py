"""Draws figure 1: the framework, from windows to boxes, shown on one case of the study."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.patches import Rectangle

from mammoflow.breasts.image_store import StoredImage
from mammoflow.detection.mpm import Grid
from mammoflow.patches import sliding_windows
from mammoflow.report.figures import mammogram, style

# Patches shown of each class.
_SHOWN = 3
_COLOURS = "inferno"


@style.styled
def draw(
    image: StoredImage,
    grid: Grid,
    boxes: pd.DataFrame,
    windows: sliding_windows.Windows,
    threshold: float,
    mode: str,
    spacing_mm: float,
    title: str,
) -> Figure:
    """Five steps in a strip: windows, patches, window probabilities, map, boxes.

    Parameters
    ----------
    image : StoredImage
        The mammogram.
    grid : Grid
        Its window probabilities.
    boxes : pandas.DataFrame
        Boxes at the threshold, as `examples.examine` gives them.
    windows : patches.Windows
        How the windows of the grid are laid.
    threshold : float
        The operating threshold.
    mode : {"paper", "candidate"}
        Kind of the boxes. The paper's are drawn with the regions of the map that they surround.
    spacing_mm : float
        Of the original image's pixels; NaN where unknown.
    title : str
        Network, cascade and data set.

    References
    ----------
    Section 2.5, figure 1.
    """
    shape = image.breast.shape
    ratio = float(np.clip(shape[1] / shape[0], 0.3, 1.2))
    height = (style.PAGE - 0.9) / (4 * ratio + 2 / _SHOWN)
    figure = style.new(style.PAGE, height + 0.65)
    cells = figure.add_gridspec(1, 5, width_ratios=[ratio, 2 / _SHOWN, ratio, ratio, ratio])
    steps = {place: figure.add_subplot(cells[place]) for place in (0, 2, 3, 4)}

    shown = {style.POSITIVE: _spread(image, windows, 1), style.NEGATIVE: _spread(image, windows, 0)}
    _windows(steps[0], image, shown, windows)
    mammogram.scale_bar(steps[0], image, spacing_mm)
    _patches(figure, cells[1], image, shown, windows)
    _probabilities(steps[2], image, grid, windows)
    values = grid.map()
    picture = steps[3].imshow(
        mammogram.reduced(values), cmap=_COLOURS, vmin=0, vmax=1, extent=mammogram.extent(shape)
    )
    mammogram.contour(steps[3], image.breast, style.GREY, 0.5)
    mammogram.bare(steps[3])
    mammogram.show(steps[4], image)
    if mode == "paper":
        _region(steps[4], values > threshold)
    mammogram.outline(steps[4], image)
    mammogram.draw_boxes(steps[4], image, boxes)

    last = "5 Threshold, boxes" if mode == "paper" else "5 Candidates"
    names = ("1 Sliding windows", "3 Probabilities", "4 Mass probability map", last)
    for axes, name in zip(steps.values(), names, strict=True):
        axes.set_title(name, loc="left", fontsize=7)
    bar = figure.colorbar(picture, ax=list(steps.values()), shrink=0.7, pad=0.01, aspect=30)
    mammogram.label_of_map(bar, threshold if mode == "paper" else None)
    figure.suptitle(title, fontsize=8, x=0.01, ha="left")
    return figure


def _spread(image: StoredImage, windows: sliding_windows.Windows, label: int) -> np.ndarray:
    """Top-left pixels of a few windows of a class, spread evenly over the image, (n, 2) int32."""
    begin = sliding_windows.positions(image.breast, windows)
    begin = begin[(sliding_windows.lesions(image.lesions, begin, windows) > 0) == label]
    inside = sliding_windows.within_breast(image.breast, begin, windows)
    begin = begin[inside] if inside.sum() >= _SHOWN else begin
    places = (np.arange(_SHOWN) + 0.5) / _SHOWN * len(begin)
    return begin[np.unique(places.astype(int))] if len(begin) else begin


def _windows(
    axes: Axes, image: StoredImage, shown: dict[str, np.ndarray], windows: sliding_windows.Windows
) -> None:
    mammogram.show(axes, image)
    mammogram.outline(axes, image)
    classified = sliding_windows.supporting(image.breast, windows)
    centres = sliding_windows.begins(classified, image.breast.shape, windows) + windows.half
    axes.scatter(centres[:, 1], centres[:, 0], s=0.25, color=style.ANNOTATION, alpha=0.6, lw=0)
    for colour, begin in shown.items():
        for y, x in begin:
            axes.add_patch(Rectangle((x, y), windows.window, windows.window, fill=False, ec=colour, lw=0.9))
    _frame(axes, image)


def _patches(
    figure: Figure,
    cell: SubplotSpec,
    image: StoredImage,
    shown: dict[str, np.ndarray],
    windows: sliding_windows.Windows,
) -> None:
    """A column of patches for each class, grey values stretched over each patch."""
    inner = cell.subgridspec(_SHOWN, 2, wspace=0.05, hspace=0.05)
    for column, (name, (colour, begin)) in enumerate(zip(("mass", "non-mass"), shown.items(), strict=True)):
        cuts = sliding_windows.cut(image.pixels, begin, windows.window)
        for row in range(_SHOWN):
            axes = figure.add_subplot(inner[row, column])
            axes.set(xticks=[], yticks=[], anchor="N", aspect="equal")
            axes.spines[:].set(visible=row < len(cuts), color=colour, linewidth=1.4)
            if row < len(cuts):
                axes.imshow(cuts[row], cmap="gray")
            if row == 0 and column == 0:
                axes.set_title("2 Patches", loc="left", fontsize=7)
            if row == _SHOWN - 1:
                axes.set_xlabel(name, color=colour, fontsize=6.5)


def _probabilities(axes: Axes, image: StoredImage, grid: Grid, windows: sliding_windows.Windows) -> None:
    """Probability of each window as a square around its centre."""
    mammogram.show(axes, image)
    if grid.probabilities.size:
        cells = np.ma.masked_where(~sliding_windows.supporting(grid.breast, windows), grid.probabilities)
        top, bottom = _edges(grid.centres_y)
        left, right = _edges(grid.centres_x)
        axes.imshow(cells, cmap=_COLOURS, vmin=0, vmax=1, extent=(left, right, bottom, top), alpha=0.9)
    _frame(axes, image)


def _frame(axes: Axes, image: StoredImage) -> None:
    """Limits of the image, whatever hangs over them."""
    height, width = image.breast.shape
    axes.set(xlim=(0, width), ylim=(height, 0))


def _edges(centres: np.ndarray) -> tuple[float, float]:
    """Outer edges of evenly spaced cells."""
    half = (centres[1] - centres[0]) / 2 if len(centres) > 1 else 0.5
    return centres[0] - half, centres[-1] + half


def _region(axes: Axes, above: np.ndarray) -> None:
    """Tint over the pixels above the threshold."""
    cover = mammogram.reduced(above)
    tint = np.ma.masked_where(cover < 0.5, cover)
    axes.imshow(tint, cmap=ListedColormap([style.POSITIVE]), alpha=0.35, extent=mammogram.extent(above.shape))
