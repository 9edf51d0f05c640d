"""FROC and wAFROC of anybody's boxes."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from mammoflow.base.boxes import BOX
from mammoflow.evaluation import froc as curves
from mammoflow.evaluation import matching
from mammoflow.evaluation import wafroc as areas
from mammoflow.evaluation.definitions import Definition
from mammoflow.evaluation.folds import Fold

_SIZES = (1.0, 4.0)


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
        Every image that was searched, those without box or lesion too: a table with image_id, and patient_id
        and laterality where ``unit`` needs them; or just the image ids.
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
        For a missing column, a box of an unknown image, a box without height or width, a score that is no
        finite number, or no lesion at all.
    """
    definition = Definition("candidate", hit, iou, duplicates, fpi_over=fpi_over, unit=unit)
    fold = _fold(detections, lesions, images)
    counts = curves.count(_matches(fold, definition), fold, definition, _SIZES)
    if not counts.defined:
        raise ValueError("froc: expected a lesion, and an image to count false positives on; got none")
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


def tpr_at(curve: pd.DataFrame, fpi: Sequence[float]) -> pd.Series:
    """Largest true positive rate of a curve at no more than the given false positives per image.

    Parameters
    ----------
    curve : pandas.DataFrame
        The result of `froc`.
    fpi : sequence of float
        Not negative.

    Returns
    -------
    pandas.Series
        TPR by FPI; where the curve ends before an FPI, the largest TPR that it has.
    """
    values, _ = curves.tpr_at(curve["tpr"].to_numpy(), curve["fpi"].to_numpy(), fpi)
    return pd.Series(values, index=pd.Index(fpi, name="fpi"), name="tpr")


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
    kernel = areas.by_patient(_matches(fold, definition), fold, definition, measure)
    if not kernel.defined:
        raise ValueError(
            f"wafroc: expected images with lesions{'' if all_images else ', and without'}; got none"
        )
    return kernel.area()


def _fold(detections: pd.DataFrame, lesions: pd.DataFrame, images: pd.DataFrame | Iterable[str]) -> Fold:
    """All images as one fold."""
    if not isinstance(images, pd.DataFrame):
        images = pd.DataFrame({"image_id": list(images)})
    _require(images, "images", ["image_id"])
    _require(lesions, "lesions", ["image_id", *BOX])
    _require(detections, "detections", ["image_id", *BOX, "score"])
    if images["image_id"].duplicated().any():
        raise ValueError("images: expected every image once, got some of them more often")
    if not np.isfinite(detections["score"].to_numpy(float)).all():
        raise ValueError("detections: expected a finite number as every score, got others")
    for name, table in (("detections", detections), ("lesions", lesions)):
        if not ((table["y0"] < table["y1"]) & (table["x0"] < table["x1"])).all():
            raise ValueError(f"{name}: expected boxes with y0 < y1 and x0 < x1, got others")
    known = {"patient_id": images["image_id"], "laterality": ""}
    images = images.assign(**{name: value for name, value in known.items() if name not in images})
    return Fold(
        0, images.reset_index(drop=True), lesions.reset_index(drop=True), detections.reset_index(drop=True)
    )


def _require(table: pd.DataFrame, name: str, columns: Sequence[str]) -> None:
    missing = [column for column in columns if column not in table]
    if missing:
        raise ValueError(f"{name}: expected columns {', '.join(columns)}; {', '.join(missing)} missing")


def _matches(fold: Fold, definition: Definition) -> matching.Matches:
    boxes = matching.of_scores(fold)[definition.mode]
    return matching.match(boxes, fold.lesions, fold.images["image_id"], definition)
