"""Draws a contact sheet of the breast regions of a data set, with questionable regions first."""

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from scipy import ndimage

from mammoflow.base.boxes import BOX, bounding_box
from mammoflow.breasts.image_store import OVERVIEW, Overview
from mammoflow.breasts.segmentation import MAX_SHARE, MIN_SHARE
from mammoflow.report.figures import style

# Tiles of a sheet; of a larger data set, images with nothing to look at and usual regions are not shown.
LIMIT = 120
COLUMNS = 12
# Shares of the image, towards the limits of what is plausible, that are worth a look.
LOW_SHARE, HIGH_SHARE = 2 * MIN_SHARE, MAX_SHARE - 0.1

LEFT_OUT, FLAGGED, NEAR_LIMIT, USUAL = range(4)
_COLOURS = {LEFT_OUT: style.FALSE_ALARM, FLAGGED: "#E69F00", NEAR_LIMIT: "#CC79A7", USUAL: style.INK}
_NAMES = {
    LEFT_OUT: "left out",
    FLAGGED: "stored, with a flag",
    NEAR_LIMIT: f"stored, area below {LOW_SHARE:.0%} or above {HIGH_SHARE:.0%} of the image",
}

# Inches: the sheet, and the lines above it. Pixels of overviews: between tiles.
_WIDTH, _HEAD = 1.5 * style.PAGE, 0.62
_GAP = 8
# Points: size of the words, about the width of a letter, height of a line.
_SIZE, _LETTER, _LINE = 5, 3, 5.6


@dataclass(frozen=True)
class Tile:
    """One image of the sheet.

    Attributes
    ----------
    image_id : str
    overview : Overview
        The whole original, small, and the region found.
    boxes : (n, 4) array
        Masses, in original pixels.
    kind : int
        `LEFT_OUT`, `FLAGGED`, `NEAR_LIMIT` or `USUAL`.
    words : str
        What there is to look at; empty for a usual one.
    unusual : float
        How far the region is from the data set's others, see `unusualness`.
    """

    image_id: str
    overview: Overview
    boxes: np.ndarray
    kind: int
    words: str
    unusual: float


def tiles(
    stored: pd.DataFrame, lesions: pd.DataFrame, overviews: Iterable[tuple[str, Overview]]
) -> list[Tile]:
    """Every image that could be decoded, those with something to look at first, then the most unusual ones.

    Parameters
    ----------
    stored : pandas.DataFrame
        Table ``stored`` of all shards.
    lesions : pandas.DataFrame
        Table ``lesions`` of the index.
    overviews : iterable of (str, Overview)
        Of all shards, see `image_store.read_overviews`.
    """
    seen = dict(overviews)
    facts = stored.set_index("image_id")
    boxes = {image_id: rows[BOX].to_numpy() for image_id, rows in lesions.groupby("image_id")}
    unusual = unusualness(list(seen.values()))
    found = [
        Tile(image_id, view, boxes.get(image_id, np.empty((0, 4))), *_look_at(facts.loc[image_id], view), far)
        for (image_id, view), far in zip(seen.items(), unusual, strict=True)
    ]
    return sorted(found, key=lambda tile: (tile.kind, -tile.unusual, tile.image_id))


def _look_at(row: pd.Series, view: Overview) -> tuple[int, str]:
    if not row["stored"]:
        return LEFT_OUT, row["reason"]
    share = view.region.mean()
    far = "" if LOW_SHARE <= share <= HIGH_SHARE else f"area {share:.0%}"
    kind = FLAGGED if row["detail"] else NEAR_LIMIT if far else USUAL
    return kind, ", ".join(filter(None, [*row["detail"].split(";"), far]))


def unusualness(overviews: Sequence[Overview]) -> np.ndarray:
    """How far each region is from what is usual among its kind.

    Parameters
    ----------
    overviews : sequence of n Overview
        Of one data set.

    Returns
    -------
    (n,) float64 ndarray
        The largest deviation of its `_features` from their medians, in robust standard deviations
        (1.4826 times the median absolute deviation, at least 0.02).
    """
    if not overviews:
        return np.empty(0)
    features = np.array([_features(view) for view in overviews])
    away = np.abs(features - np.median(features, axis=0))
    return (away / np.maximum(1.4826 * np.median(away, axis=0), 0.02)).max(axis=1)


def _features(view: Overview) -> list[float]:
    """Share of the image, height and width, how full its box is, and the grey just inside and outside."""
    region = view.region
    if not region.any():
        return [0.0] * 6
    y0, x0, y1, x1 = bounding_box(region)
    height, width = (y1 - y0) / region.shape[0], (x1 - x0) / region.shape[1]
    inside = region & ~ndimage.binary_erosion(region, iterations=3, border_value=1)
    outside = ndimage.binary_dilation(region, iterations=3) & ~region
    greys = [np.median(view.picture[ring]) / 255 if ring.any() else 0.0 for ring in (inside, outside)]
    share = region.mean()
    return [share, height, width, share / (height * width), *greys]


@style.styled
def draw(found: Sequence[Tile], unseen: dict[str, int], label: str) -> Figure:
    """The sheet.

    Parameters
    ----------
    found : sequence of Tile
        In the order of `tiles`; the first `LIMIT` are shown.
    unseen : dict of str to int
        Images that could not be decoded, for which there is no picture: how many for each reason.
    label : str
        The data set in print.
    """
    shown = found[:LIMIT]
    height, width = np.max([tile.overview.picture.shape for tile in shown] or [(OVERVIEW, OVERVIEW)], axis=0)
    points = 72 * _WIDTH / (COLUMNS * (width + _GAP))  # of a pixel
    words = [_lines(tile, int(width * points / _LETTER)) for tile in shown]
    cell = height + _GAP + max(map(len, words), default=1) * _LINE / points, width + _GAP
    rows = max(1, ceil(len(shown) / COLUMNS))
    sheet = rows * cell[0], COLUMNS * cell[1]
    body = _WIDTH * sheet[0] / sheet[1]
    figure = Figure(figsize=(_WIDTH, body + _HEAD))
    axes = figure.add_axes((0, 0, 1, body / (body + _HEAD)))
    axes.set_axis_off()
    for place, (tile, lines) in enumerate(zip(shown, words, strict=True)):
        row, column = divmod(place, COLUMNS)
        _draw_tile(axes, tile, lines, row * cell[0], column * cell[1] + _GAP / 2, width)
    axes.set_xlim(0, sheet[1])
    axes.set_ylim(sheet[0], 0)
    left = _GAP / 2 / sheet[1]
    top = body + _HEAD
    figure.text(left, 1 - 0.08 / top, f"Breast regions, {label}", fontsize=9, weight="bold", va="top")
    figure.text(left, 1 - 0.25 / top, summary(found, unseen), fontsize=7, va="top")
    figure.legend(handles=_key(), loc="upper left", bbox_to_anchor=(0, 1 - 0.36 / top), ncols=5, fontsize=7)
    return figure


def summary(found: Sequence[Tile], unseen: dict[str, int]) -> str:
    """What the sheet shows and what it does not, in a line."""
    said = [f"{min(len(found), LIMIT)} of {len(found) + sum(unseen.values())} images shown"]
    kinds = [tile.kind for tile in found]
    said += [f"{name} {kinds.count(kind)}" for kind, name in _NAMES.items()]
    said += [f"no picture for {count}: {reason}" for reason, count in sorted(unseen.items())]
    if hidden := found[LIMIT:]:
        marked = sum(tile.kind != USUAL for tile in hidden)
        said.append(
            f"not shown: the {len(hidden)} most usual regions" + (f", {marked} marked" if marked else "")
        )
    return "; ".join(said)


def _draw_tile(axes: Axes, tile: Tile, lines: list[str], top: float, left: float, width: float) -> None:
    view, colour = tile.overview, _COLOURS[tile.kind]
    m, n = view.picture.shape
    left += (width - n) / 2
    axes.imshow(view.picture, cmap="gray", vmin=0, vmax=255, extent=(left, left + n, top + m, top))
    if view.region.any():
        x, y = (np.arange(-1, size + 1) + 0.5 for size in (n, m))
        cover = np.pad(view.region, 1).astype(np.float32)
        outline = _COLOURS[LEFT_OUT] if tile.kind == LEFT_OUT else style.HIT
        axes.contour(x + left, y + top, cover, [0.5], colors=[outline], linewidths=[0.8])
    for y0, x0, y1, x1 in tile.boxes * np.array([m / view.rows, n / view.columns] * 2):
        axes.add_patch(
            Rectangle(
                (left + x0, top + y0), x1 - x0, y1 - y0, fill=False, ec=style.ANNOTATION, lw=0.6, alpha=0.7
            )
        )
    if tile.kind != USUAL:
        axes.add_patch(Rectangle((left, top), n, m, fill=False, ec=colour, lw=1.6, clip_on=False))
    axes.text(left, top + m + 3, "\n".join(lines), color=colour, fontsize=_SIZE, va="top", linespacing=1)


def _lines(tile: Tile, letters: int) -> list[str]:
    """What is written below a tile, in lines of so many letters; identifiers break at underscores."""
    wrapped = (textwrap.wrap(text.replace("_", "_ "), letters) for text in (tile.words, tile.image_id))
    return [line.replace("_ ", "_") for lines in wrapped for line in lines]


def _key() -> list[Line2D]:
    lines = [Line2D([], [], color=style.HIT, lw=1, label="region found")]
    lines += [Line2D([], [], color=style.ANNOTATION, lw=1, label="box of a mass (no say in the region)")]
    frames = {"marker": "s", "ls": "none", "markerfacecolor": "none", "markersize": 6, "markeredgewidth": 1.4}
    return lines + [
        Line2D([], [], color=_COLOURS[kind], label=name, **frames) for kind, name in _NAMES.items()
    ]
