"""Where a model errs: masses by size, scores, places of false positives, views of a breast, probabilities.

Each function returns rows of an ``errors`` table: a panel, a group in it, coordinates, a value with the 95 %
interval where it is a rate, and the number of cases behind it.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import ndimage, stats

from mammoflow.base.boxes import BOX, bounding_box
from mammoflow.base.contracts.review import ERRORS
from mammoflow.detection.mpm import Grid
from mammoflow.evaluation import matching
from mammoflow.evaluation.definitions import Definition
from mammoflow.evaluation.folds import Fold

AREA, SCORES, PLACES, VIEWS, CALIBRATION = "area", "scores", "false-positives", "views", "calibration"
MASS, FALSE = "masses", "false positives"
FOUND_IN = ("both", "one", "none")

# Standard deviation of the weights of masses around an area, as a factor of the area: exp(0.4) is 1.5.
_WIDTH = 0.4
# Fewest masses, by weight, from which a rate is given.
_FEWEST = 3
_BINS = 20
_CELLS = (32, 24)


def best_scores(folds: Iterable[Fold], definition: Definition) -> tuple[pd.DataFrame, np.ndarray]:
    """Score of the best candidate on each mass, and of each candidate that is on none.

    Parameters
    ----------
    folds : iterable of Fold
        Their ``detections`` are candidates.
    definition : Definition
        What counts as a hit.

    Returns
    -------
    lesions : pandas.DataFrame
        Rows of ``lesions`` with a column ``best``, NaN where no candidate is on the mass.
    false : (n,) float array
    """
    lesions, false = [], []
    for fold in folds:
        boxes = dict(iter(fold.detections.groupby("image_id")))
        on_images = dict(iter(fold.lesions.groupby("image_id")))
        for image_id in fold.images["image_id"]:
            its, found = on_images.get(image_id, fold.lesions[:0]), boxes.get(image_id, fold.detections[:0])
            linked, _ = matching.links(found[BOX].to_numpy(int), its[BOX].to_numpy(int), definition)
            score = np.where(linked, found["score"].to_numpy(float)[:, None], -np.inf).max(
                axis=0, initial=-np.inf
            )
            lesions.append(its.assign(best=np.where(np.isfinite(score), score, np.nan)))
            false.append(found["score"].to_numpy(float)[~linked.any(axis=1)])
    return pd.concat(lesions, ignore_index=True), np.concatenate(false)


def by_area(lesions: pd.DataFrame, threshold: float, points: int = 40) -> pd.DataFrame:
    """TPR around each area: every mass counts by its distance on a logarithmic axis.

    Parameters
    ----------
    lesions : pandas.DataFrame
        Of `best_scores`. Masses of unknown area are left out.
    threshold : float
        Masses with a best score of at least this are found.
    points : int
        Number of areas, from the smallest to the largest mass.
    """
    areas = lesions["area_cm2"].to_numpy(float)
    known = areas > 0
    logs, found = np.log(areas[known]), lesions["best"].to_numpy(float)[known] >= threshold
    if not len(logs):
        return _rows(AREA, "", x=[])
    at = np.linspace(logs.min(), logs.max(), points)
    weights = np.exp(-(((at[:, None] - logs) / _WIDTH) ** 2) / 2)
    rate = weights @ found / weights.sum(axis=1)
    number = weights.sum(axis=1) ** 2 / (weights**2).sum(axis=1)  # Kish's effective number
    low, high = _wilson(rate, number)
    enough = number >= _FEWEST
    return _rows(AREA, "", x=np.exp(at), value=rate, low=low, high=high, n=np.rint(number))[enough]


def by_score(lesions: pd.DataFrame, false: np.ndarray) -> pd.DataFrame:
    """Numbers of masses by the score of their best candidate, and of false positives by their score.

    Parameters
    ----------
    lesions, false
        Of `best_scores`. Masses without any candidate are in a row whose ``x`` is empty.
    """
    best = lesions["best"].to_numpy(float)
    edges = np.linspace(0, 1, _BINS + 1)
    middle = (edges[1:] + edges[:-1]) / 2
    parts = [
        _rows(SCORES, group, x=middle, value=count, n=np.full(_BINS, count.sum()))
        for group, scores in ((MASS, best[np.isfinite(best)]), (FALSE, false))
        for count in [np.histogram(scores.clip(0, 1), edges)[0]]
    ]
    never = int(np.isnan(best).sum())
    return pd.concat(
        [*parts, _rows(SCORES, MASS, x=[np.nan], value=[never], n=[len(best)])], ignore_index=True
    )


def places(boxes: pd.DataFrame, grids: Iterable[tuple[str, Grid]], views: Mapping[str, str]) -> pd.DataFrame:
    """False positives per image in each cell of the mean breast, by view.

    Parameters
    ----------
    boxes : pandas.DataFrame
        The false positives: image_id and the box in original pixels.
    grids : iterable of (str, Grid)
        Every image, with its breast region and geometry.
    views : mapping of str to str
        View of each image.

    Returns
    -------
    pandas.DataFrame
        ``x`` and ``y`` are shares of the breast's width, from the chest wall, and of its height, from the
        top; ``low`` is the share of breasts that cover the cell.
    """
    of_image = dict(iter(boxes.groupby("image_id")))
    totals: dict[str, list[np.ndarray]] = {}
    for image_id, grid in grids:
        counts, cover = _in_cells(grid, of_image.get(image_id))
        total = totals.setdefault(views[image_id], [np.zeros(_CELLS), np.zeros(_CELLS), np.zeros(1)])
        for place, more in enumerate((counts, cover, 1)):
            total[place] += more
    y, x = (((np.arange(size) + 0.5) / size) for size in _CELLS)
    parts = [
        _rows(
            PLACES,
            view,
            x=np.tile(x, len(y)),
            y=np.repeat(y, len(x)),
            value=ndimage.gaussian_filter(counts / images, 1, mode="constant").ravel(),
            low=(cover / images).ravel(),
            n=np.full(counts.size, counts.sum()),
        )
        for view, (counts, cover, images) in sorted(totals.items())
    ]
    return pd.concat(parts, ignore_index=True)


def _in_cells(grid: Grid, boxes: pd.DataFrame | None) -> tuple[np.ndarray, np.ndarray]:
    """Number of box centres in each cell of a breast's bounding box, and whether the breast is there."""
    counts = np.zeros(_CELLS)
    if not grid.breast.any():
        return counts, np.zeros(_CELLS)
    y0, x0, y1, x1 = bounding_box(grid.breast)
    rows, columns = (
        np.minimum(((np.arange(size) + 0.5) / size * length).astype(int) + first, first + length - 1)
        for size, length, first in zip(_CELLS, (y1 - y0, x1 - x0), (y0, x0), strict=True)
    )
    if boxes is not None:
        stored = grid.geometry.to_stored(boxes[BOX].to_numpy())
        centres = (stored[:, :2] + stored[:, 2:]) / 2
        cell = np.floor((centres - (y0, x0)) / (y1 - y0, x1 - x0) * _CELLS).astype(int)
        np.add.at(counts, tuple(cell.clip(0, np.array(_CELLS) - 1).T), 1)
    return counts, grid.breast[np.ix_(rows, columns)].astype(float)


def by_view(lesions: pd.DataFrame, images: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """In how many views a mass of a breast is found, of breasts with a mass in both views, CC and MLO.

    Parameters
    ----------
    lesions : pandas.DataFrame
        Of `best_scores`.
    images : pandas.DataFrame
        Table ``images``.
    threshold : float
        As for `by_area`.
    """
    found = (lesions["best"] >= threshold).groupby(lesions["image_id"]).any().rename("found")
    seen = images[images["laterality"] != ""].merge(found, left_on="image_id", right_index=True)
    by_breast = seen.groupby(["patient_id", "laterality", "view"])["found"].any().unstack()
    by_breast = by_breast.reindex(columns=["CC", "MLO"]).dropna()
    views = by_breast.sum(axis=1).to_numpy(int)
    counts = [int((views == number).sum()) for number in (2, 1, 0)]
    parts = [
        _rows(VIEWS, group, x=[np.nan], value=[count], n=[len(views)])
        for group, count in zip(FOUND_IN, counts, strict=True)
    ]
    return pd.concat(parts, ignore_index=True)


def calibration(labels: np.ndarray, probabilities: np.ndarray, bins: int = 10) -> pd.DataFrame:
    """Share of mass patches among those of similar probability; empty bins are left out.

    Parameters
    ----------
    labels : (n,) int array
        1 for a mass.
    probabilities : (n,) float array
        Predicted for each patch.
    bins : int
        Number of bins of equal width.
    """
    place = np.minimum((probabilities * bins).astype(int), bins - 1)
    number, masses, total = (
        np.bincount(place, weights=weights, minlength=bins) for weights in (None, labels, probabilities)
    )
    some = number > 0
    number, masses, total = number[some], masses[some], total[some]
    low, high = _wilson(masses / number, number)
    return _rows(CALIBRATION, "", x=total / number, value=masses / number, low=low, high=high, n=number)


def table(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """All rows as a checked ``errors`` table."""
    return ERRORS.check(pd.concat([part for part in parts if len(part)], ignore_index=True))


def _rows(panel: str, group: str, **columns: Sequence[float]) -> pd.DataFrame:
    empty = np.full(len(columns["x"]), np.nan)
    frame = {name: columns.get(name, empty) for name in ("x", "y", "value", "low", "high")}
    number = np.asarray(columns.get("n", np.zeros(len(empty)))).astype(int)
    return pd.DataFrame({"panel": panel, "group": group, **frame, "n": number})


def _wilson(rate: np.ndarray, number: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's 95 % interval of a rate."""
    z = stats.norm.ppf(0.975)
    middle = (rate + z**2 / (2 * number)) / (1 + z**2 / number)
    half = z / (1 + z**2 / number) * np.sqrt(rate * (1 - rate) / number + z**2 / (4 * number**2))
    return np.maximum(middle - half, 0), np.minimum(middle + half, 1)
