"""FROC and wAFROC of anybody's boxes."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from mammoflow.base.boxes import BOX
from mammoflow.evaluation import froc as curves
from mammoflow.evaluation import froc_report, matching
from mammoflow.evaluation import wafroc as areas
from mammoflow.evaluation.definitions import Definition, Evaluation
from mammoflow.evaluation.folds import Fold
from mammoflow.evaluation.froc_report import Report
from mammoflow.library.columns import numbers, require

_SIZES = (1.0, 4.0)
# Columns of the images that tell which of them show the same unit.
_GROUPED_BY = {"lesion": [], "image": [], "breast": ["patient_id", "laterality"], "patient": ["patient_id"]}


def froc(
    detections: pd.DataFrame,
    lesions: pd.DataFrame,
    images: pd.DataFrame | Iterable[str],
    *,
    hit: str = "iou-above",
    iou: float = 0.2,
    duplicates: str = "ignore",
    fpi_over: str = "all",
    unit: str = "lesion",
) -> pd.DataFrame:
    """FROC curve of boxes with scores, one threshold for all images.

    Parameters
    ----------
    detections : pandas.DataFrame
        Columns image_id, y0, x0, y1, x1 (half-open, pixels) and score, higher for more suspicious.
    lesions : pandas.DataFrame
        Columns image_id, y0, x0, y1, x1.
    images : pandas.DataFrame or iterable of str
        Every image that was searched, also those without a box or a lesion: a table with image_id, and
        patient_id and laterality where ``unit`` needs them; or just the image ids.
    hit, iou, duplicates, fpi_over, unit
        What counts as found, as in `mammoflow.evaluation.definitions.Definition`.

    Returns
    -------
    pandas.DataFrame
        From the highest threshold down: threshold, fpi (false positives per image), tpr (true positive
        rate), hits, targets, false_positives, images. The first row, at infinity, finds nothing.

    Raises
    ------
    ValueError
        For a missing column or an empty cell, a box of an unknown image, a box without height or width, a
        score or coordinate that is not a finite number, or no lesion at all.
    """
    definition = Definition("candidate", hit, iou, duplicates, fpi_over=fpi_over, unit=unit)
    fold = _fold(detections, lesions, images, _GROUPED_BY[unit])
    counts = curves.count(_matches(fold, definition), fold, definition, _SIZES)
    if not counts.defined:
        raise ValueError(
            "froc: expected a lesion, and an image to count false positives on; "
            f"got {len(lesions)} lesions, and {counts.images.sum()} such images"
        )
    line = curves.curve(counts)
    return pd.DataFrame(
        {
            "threshold": line.thresholds,
            "fpi": line.fpi,
            "tpr": line.tpr,
            "hits": line.hits,
            "targets": line.targets,
            "false_positives": line.false_positives,
            "images": line.images,
        }
    )


def tpr_at(curve: pd.DataFrame, fpi: float | Sequence[float]) -> pd.Series:
    """Largest true positive rate of a curve at no more than the given false positives per image.

    Parameters
    ----------
    curve : pandas.DataFrame
        The result of `froc`.
    fpi : float or sequence of float
        Not negative.

    Returns
    -------
    pandas.Series
        TPR by FPI; where the curve ends before an FPI, the largest TPR that it has.

    Raises
    ------
    ValueError
        For a missing column, or an FPI that is negative or not a number.
    """
    require(curve, "curve", ["fpi", "tpr"])
    at = np.atleast_1d(np.asarray(fpi, float))
    if not (at >= 0).all():
        raise ValueError(f"fpi: expected false positives per image of at least 0, got {fpi}")
    values, _ = curves.tpr_at(curve["tpr"].to_numpy(), curve["fpi"].to_numpy(), at)
    return pd.Series(values, index=pd.Index(at, name="fpi"), name="tpr")


def wafroc(
    detections: pd.DataFrame,
    lesions: pd.DataFrame,
    images: pd.DataFrame | Iterable[str],
    *,
    hit: str = "iou-above",
    iou: float = 0.2,
    all_images: bool = False,
) -> float:
    """Area under the weighted alternative FROC curve (wAFROC).

    Parameters
    ----------
    detections, lesions, images, hit, iou
        As in `froc`.
    all_images : bool, optional
        Count false positives of all images (wAFROC1), not of those without a lesion alone.

    Raises
    ------
    ValueError
        As in `froc`, and without an image of each kind.

    References
    ----------
    Chakraborty and Zhai, Med. Phys. 43(5), 2548-2557 (2016).
    """
    definition = Definition("candidate", hit, iou)
    fold = _fold(detections, lesions, images)
    measure = areas.MEASURES[int(all_images)]
    ratings = areas.ratings_of(_matches(fold, definition), fold, definition, measure)
    if not ratings.defined:
        diseased = fold.lesions["image_id"].nunique()
        raise ValueError(
            f"wafroc: expected images with lesions{'' if all_images else ', and without'}; "
            f"got {diseased} with, and {len(fold.images) - diseased} without"
        )
    return ratings.area()


def report(
    detections: pd.DataFrame,
    lesions: pd.DataFrame,
    images: pd.DataFrame | Iterable[str],
    evaluation: Evaluation,
    seed: int = 0,
) -> Report:
    """All evaluation results of boxes with scores, as the study writes them of a model.

    Parameters
    ----------
    detections, lesions, images
        As in `froc`. Lesions may have area_cm2 and pathology, by which they are counted apart too. With
        patient_id, patients are drawn for the intervals, else images.
    evaluation : Evaluation
        Settings; the mode is ``candidate`` in any case.
    seed : int, optional
        Of the bootstrap.

    Returns
    -------
    froc_report.Report
        All images as fold 0.

    Raises
    ------
    ValueError
        As in `froc`.
    """
    if not isinstance(images, pd.DataFrame):
        images = pd.DataFrame({"image_id": list(images)})
    own = [column for column in ("patient_id", "laterality") if column in images]
    fold = _fold(detections, lesions, images, own)
    if fold.lesions.empty or fold.images.empty:
        raise ValueError(f"report: expected lesions and images, got {len(lesions)} and {len(images)}")
    known = {"area_cm2": np.nan, "pathology": ""}
    missing = {name: value for name, value in known.items() if name not in fold.lesions}
    fold = fold._replace(lesions=fold.lesions.assign(**missing))
    return froc_report.evaluate([fold], evaluation, seed, boxes_of=matching.of_scores)


def _fold(
    detections: pd.DataFrame,
    lesions: pd.DataFrame,
    images: pd.DataFrame | Iterable[str],
    grouped_by: Sequence[str] = (),
) -> Fold:
    """All images as one fold; ``grouped_by`` are columns of the images besides image_id."""
    if not isinstance(images, pd.DataFrame):
        images = pd.DataFrame({"image_id": list(images)})
    require(images, "images", ["image_id", *grouped_by])
    if "patient_id" in grouped_by and (empty := int((images["patient_id"].astype(str) == "").sum())):
        raise ValueError(f"images: expected a value of patient_id in every row, got {empty} without")
    require(lesions, "lesions", ["image_id", *BOX])
    require(detections, "detections", ["image_id", *BOX, "score"])
    if images["image_id"].duplicated().any():
        raise ValueError("images: expected every image once, got some of them more often")
    lesions = numbers(lesions, "lesions", BOX)
    detections = numbers(detections, "detections", [*BOX, "score"])
    for name, table in (("detections", detections), ("lesions", lesions)):
        if not ((table["y0"] < table["y1"]) & (table["x0"] < table["x1"])).all():
            raise ValueError(f"{name}: expected boxes with y0 < y1 and x0 < x1, got others")
    known = {"patient_id": images["image_id"], "laterality": ""}
    images = images.assign(**{name: value for name, value in known.items() if name not in grouped_by})
    return Fold(
        0, images.reset_index(drop=True), lesions.reset_index(drop=True), detections.reset_index(drop=True)
    )


def _matches(fold: Fold, definition: Definition) -> matching.Matches:
    boxes = matching.of_scores(fold)[definition.mode]
    return matching.match(boxes, fold.lesions, fold.images["image_id"], definition)
