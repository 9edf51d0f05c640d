"""Prepares the stored images of a shard for the review page: pictures, thumbnails, outlines and facts."""

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image
from skimage.measure import approximate_polygon, find_contours

from mammoflow.base.boxes import BOX, bounding_box
from mammoflow.breasts import preparation
from mammoflow.breasts.image_store import StoredImage
from mammoflow.evaluation import folds
from mammoflow.evaluation.definitions import SIZES

# Most rows and columns of a thumbnail.
TILE = (160, 120)

# Percentiles of the breast's grey values: what is black and white in the picture, and in the first window.
_RANGE, _WINDOW = (0.02, 99.98), (1, 99.9)
# Percentiles are those of every n-th row and column of an image that is so many times as long.
_SAMPLED = 800
_QUALITY = {"picture": 90, "thumbnail": 75}

# Outlines are those of regions reduced to so many pixels, within a tolerance in reduced pixels.
_OUTLINE, _TOLERANCE = 250, 0.6


class Picture(NamedTuple):
    """An image as the page shows it.

    ``grey`` is a (M, N) uint8 array, 0 outside the breast. ``window`` are the grey values, as parts of its
    range, that are shown black and white at first.
    """

    grey: np.ndarray
    window: tuple[float, float]


class Shard(NamedTuple):
    """The test images of a shard: facts, pictures and thumbnails; both are JPEG in Base64."""

    facts: list[dict[str, object]]
    images: list[str]
    thumbnails: list[str]


def of_shard(
    store: Mapping[str, StoredImage],
    cases: pd.DataFrame,
    images: pd.DataFrame,
    lesions: pd.DataFrame,
    edges: Sequence[float],
) -> Shard:
    """Prepare the test images of a shard.

    Parameters
    ----------
    store : mapping of str to StoredImage
        The shard.
    cases : pandas.DataFrame
        A ``cases`` table.
    images : pandas.DataFrame
        Table ``images``, indexed by image_id.
    lesions : pandas.DataFrame
        The lesions that count.
    edges : sequence of two floats
        Areas in cm² between small, medium and large lesions.
    """
    of_image = dict(iter(lesions.groupby("image_id")))
    shard = Shard([], [], [])
    for case in cases[cases["image_id"].isin(list(store))].itertuples():
        image = store[case.image_id]
        shown = picture(image)
        where = {"number": case.Index, "name": case.case, "fold": case.fold, "window": shown.window}
        of_case = of_image.get(case.image_id, lesions[:0])
        shard.facts.append(where | facts(image, images.loc[case.image_id], of_case, edges))
        shard.images.append(jpeg(shown.grey, "picture"))
        shard.thumbnails.append(jpeg(thumbnail(shown), "thumbnail"))
    return shard


def picture(image: StoredImage) -> Picture:
    """The breast in 8 bits, in steps of equal size between nearly the darkest and the brightest value."""
    sample = (slice(None, None, 1 + max(image.breast.shape) // _SAMPLED),) * 2
    counts = np.bincount(image.pixels[sample][image.breast[sample]], minlength=1)
    low, high = _percentiles(counts, _RANGE)
    high = max(high, low + 1)
    values = np.clip((np.arange(2**16) - low) / (high - low), 0, 1)
    table = np.round(255 * values).astype(np.uint8)
    black, white = _percentiles(counts, _WINDOW)
    grey = np.take(table, image.pixels)
    grey *= image.breast
    return Picture(grey, (float(values[black]), float(max(values[white], values[black] + 1 / 255))))


def _percentiles(counts: np.ndarray, percentiles: Sequence[float]) -> np.ndarray:
    """Percentiles of values from 0, of which there are so many each; 0 if there are none."""
    total = np.cumsum(counts)
    return np.searchsorted(total, np.asarray(percentiles) / 100 * total[-1])


def jpeg(grey: np.ndarray, kind: str) -> str:
    """A (M, N) uint8 array as JPEG in Base64; of a ``picture`` or a ``thumbnail``."""
    file = io.BytesIO()
    Image.fromarray(grey).save(file, "JPEG", quality=_QUALITY[kind])
    return base64.b64encode(file.getvalue()).decode()


def thumbnail(shown: Picture) -> np.ndarray:
    """The picture in its first window, reduced to fit on a tile; (m, n) uint8 array."""
    factor = max(1.0, *(size / limit for size, limit in zip(shown.grey.shape, TILE, strict=True)))
    rows, columns = (max(1, int(size / factor)) for size in shown.grey.shape)
    small = np.asarray(Image.fromarray(shown.grey).resize((columns, rows), Image.Resampling.BOX)) / 255
    low, high = shown.window
    return np.round(255 * np.clip((small - low) / (high - low), 0, 1)).astype(np.uint8)


def outline(mask: np.ndarray) -> list[list[list[float]]]:
    """Polygons around the true pixels of a mask.

    Parameters
    ----------
    mask : (M, N) bool array
        Any mask. Large regions are reduced first, which is faster and coarser.

    Returns
    -------
    list of polygons
        Corners (x, y) in pixels of the mask, rounded to tenths.
    """
    if not mask.any():
        return []
    y0, x0, y1, x1 = bounding_box(mask)
    factor = max(1.0, max(y1 - y0, x1 - x0) / _OUTLINE)
    cover = np.pad(preparation.shrink(mask[y0:y1, x0:x1], factor), 1)
    lines = [approximate_polygon(line, _TOLERANCE) for line in find_contours(cover, 0.5)]
    # The centre of reduced pixel (1, 1), the first inside the padding, lies at half a step.
    return [
        [[round(float(x), 1), round(float(y), 1)] for y, x in (line - 0.5) * factor + (y0, x0)]
        for line in lines
    ]


def facts(
    image: StoredImage, row: Mapping[str, object], lesions: pd.DataFrame, edges: Sequence[float]
) -> dict[str, object]:
    """What the page states about an image, without any identifier.

    Parameters
    ----------
    image : StoredImage
        The image.
    row : mapping
        Its row in ``images``.
    lesions : pandas.DataFrame
        The lesions that count on this image, in the order of their table.
    edges : sequence of two floats
        Areas in cm² between small, medium and large lesions.
    """
    rows, columns = image.breast.shape
    spacing = float(row["spacing_mm"]) * image.geometry.factor
    flags = [flag for flag in f"{row['flags']};{image.flags}".split(";") if flag]
    return {
        "side": row["laterality"],
        "view": row["view"],
        "flags": flags,
        "rows": rows,
        "columns": columns,
        "mm": round(spacing, 6) if np.isfinite(spacing) else None,
        "outline": outline(image.breast),
        "contours": [
            polygon
            for label in range(1, int(image.lesions.max(initial=0)) + 1)
            for polygon in outline(image.lesions == label)
        ],
        "lesions": list(_lesions(image, lesions, edges)),
    }


def _lesions(
    image: StoredImage, lesions: pd.DataFrame, edges: Sequence[float]
) -> Iterable[dict[str, object]]:
    stored = image.geometry.to_stored(lesions[BOX].to_numpy())
    belongs = {size: folds.in_subset(lesions, size, edges) for size in SIZES}
    for number, (box, lesion) in enumerate(zip(stored, lesions.to_dict("records"), strict=True)):
        area = float(lesion["area_cm2"])
        yield {
            "box": [round(float(edge), 1) for edge in box],
            "cm2": round(area, 4) if np.isfinite(area) else None,
            "size": next((size for size in SIZES if belongs[size][number]), ""),
            "pathology": lesion["pathology"],
        }
