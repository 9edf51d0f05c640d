"""Collects the test images of each fold with their lesions and detections."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from mammoflow.evaluation.definitions import SUBSETS

# Terms of the data sets for malignant and benign masses: INbreast gives a BI-RADS category per image,
# VinDr-Mammo per finding.
_WORDS = {"malignant": r"MALIGNANT|BI-RADS [456]", "benign": r"BENIGN|BI-RADS [123](?!\d)"}


class Fold(NamedTuple):
    """Test images of a fold with their lesions and boxes.

    ``images`` has columns image_id, patient_id and laterality, and a row per test image, including images
    without box or lesion. The other tables are of these images. ``detections`` are the components of maps
    at every threshold, or the boxes of an external system; None if they stay in their files. ``contours``
    are the lesions before overlapping ones are merged; None if there is no difference. ``candidates`` are
    the fixed boxes found in maps; None for an external system.
    """

    number: int
    images: pd.DataFrame
    lesions: pd.DataFrame
    detections: pd.DataFrame | None
    contours: pd.DataFrame | None = None
    candidates: pd.DataFrame | None = None

    def annotated(self, lesions: str) -> pd.DataFrame:
        """Lesions of the fold, ``merged`` or ``unmerged``."""
        return self.contours if lesions == "unmerged" and self.contours is not None else self.lesions


def fold_of(
    number: int,
    splits: pd.DataFrame,
    lesions: pd.DataFrame,
    detections: pd.DataFrame | None,
    images: pd.DataFrame,
    contours: pd.DataFrame | None = None,
    candidates: pd.DataFrame | None = None,
) -> Fold:
    """Collect the test images of a fold with their lesions and boxes.

    Parameters
    ----------
    number : int
        Number of the fold.
    splits, lesions, images : pandas.DataFrame
        Tables of the data set.
    detections : pandas.DataFrame or None
        Detections of this fold.
    contours : pandas.DataFrame, optional
        Lesions before merging.
    candidates : pandas.DataFrame, optional
        Candidates of this fold.

    Raises
    ------
    ValueError
        When the fold has no test images, or one of them is not in the index.
    """
    test = splits[(splits["fold"] == number) & (splits["role"] == "test")]
    if test.empty:
        raise ValueError(f"splits: expected test images of fold {number}, got none")
    sides = images.set_index("image_id")["laterality"]
    unknown = test.loc[~test["image_id"].isin(sides.index), "image_id"]
    if len(unknown):
        raise ValueError(f"splits: expected images of the index, got '{unknown.iloc[0]}'")
    shown = test[["image_id", "patient_id"]].reset_index(drop=True)
    shown["laterality"] = sides.loc[shown["image_id"]].to_numpy()

    def here(table: pd.DataFrame) -> pd.DataFrame:
        return table[table["image_id"].isin(shown["image_id"])].reset_index(drop=True)

    unmerged = here(contours) if contours is not None else None
    return Fold(number, shown, here(lesions), detections, unmerged, candidates)


def folds_of(
    splits: pd.DataFrame,
    lesions: pd.DataFrame,
    detections: Iterable[pd.DataFrame] | None,
    images: pd.DataFrame,
    contours: pd.DataFrame | None = None,
    candidates: Iterable[pd.DataFrame | None] | None = None,
) -> Iterator[Fold]:
    """Yield the folds 0, 1, ... of a data set, with only one fold in memory at a time.

    Parameters
    ----------
    splits, lesions, images, contours
        See `fold_of`.
    detections : iterable of pandas.DataFrame or None
        The detections of each fold, in order; None if they stay in their files.
    candidates : iterable of pandas.DataFrame, optional
        The candidates of each fold, in order.
    """
    # A comprehension would keep a table in memory until the next one is read.
    return map(
        lambda number, table, boxes: fold_of(number, splits, lesions, table, images, contours, boxes),
        itertools.count(),
        itertools.repeat(None) if detections is None else detections,
        itertools.repeat(None) if candidates is None else candidates,
    )


def rows_of(names: pd.Series, image_ids: Sequence[str], what: str) -> np.ndarray:
    """Index of each name among the images, (n,) int.

    Raises
    ------
    ValueError
        When a name is not among the images.
    """
    rows = pd.Index(image_ids).get_indexer(names)
    if (rows < 0).any():
        raise ValueError(
            f"{what}: expected images of the fold's test set ({len(image_ids)} images), "
            f"got '{names.to_numpy()[rows < 0][0]}'"
        )
    return rows


def rows_by_image(image: np.ndarray, images: int) -> list[np.ndarray]:
    """Rows of each image, ascending.

    Parameters
    ----------
    image : (n,) int array
        Index of the image of each row.
    images : int
        Number of images.
    """
    order = np.argsort(image, kind="stable")
    return np.split(order, np.searchsorted(image[order], np.arange(1, images)))


def in_subset(lesions: pd.DataFrame, subset: str, edges: Sequence[float]) -> np.ndarray:
    """Which lesions belong to a subset; lesions of unknown area or pathology belong only to ``all``.

    Parameters
    ----------
    lesions : pandas.DataFrame
        Columns area_cm2 (NaN if unknown) and pathology.
    subset : {"all", "small", "medium", "large", "malignant", "benign"}
        By size: smaller than the first edge, between the edges (inclusive), larger than the second edge.
        By pathology: as stated in the data set; BI-RADS 4 to 6 counts as malignant and 1 to 3 as benign,
        as in the studies on INbreast to which the paper compares its results.
    edges : sequence of two floats
        Edges of the size strata in cm².

    Returns
    -------
    (n,) bool array

    Raises
    ------
    ValueError
        When the name of the subset is unknown.
    """
    if subset not in SUBSETS:
        raise ValueError(f"evaluation: expected subset of {' or '.join(SUBSETS)}, got '{subset}'")
    if subset == "all":
        return np.ones(len(lesions), bool)
    if subset in _WORDS:
        return lesions["pathology"].str.match(_WORDS[subset]).to_numpy(bool)
    (low, high), areas = edges, lesions["area_cm2"].to_numpy(float)
    return {
        "small": areas < low,
        "medium": (low <= areas) & (areas <= high),
        "large": areas > high,
    }[subset]


def units_of(images: pd.DataFrame, unit: str) -> np.ndarray:
    """Number of the image, breast or patient that each image belongs to, (images,) int from 0.

    Parameters
    ----------
    images : pandas.DataFrame
        Images of a fold. An image of unknown side counts as a separate breast.
    unit : {"image", "breast", "patient"}
        Unit to which images are grouped.
    """
    if unit == "image":
        return np.arange(len(images))
    if unit == "patient":
        return pd.factorize(images["patient_id"])[0]
    side = images["laterality"].where(images["laterality"] != "", images["image_id"])
    return images.assign(side=side).groupby(["patient_id", "side"], sort=False).ngroup().to_numpy()
