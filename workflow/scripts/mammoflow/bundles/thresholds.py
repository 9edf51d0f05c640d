"""Chooses the thresholds of a model on validation images, and counts what they do on test images."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mammoflow.evaluation import froc, matching
from mammoflow.evaluation.definitions import Evaluation
from mammoflow.evaluation.folds import Fold, fold_of


def validation_fold(
    number: int,
    splits: pd.DataFrame,
    lesions: pd.DataFrame,
    detections: pd.DataFrame,
    images: pd.DataFrame,
    candidates: pd.DataFrame,
) -> Fold:
    """Validation images of a fold with their lesions and boxes, to be evaluated as test images are.

    Parameters
    ----------
    number, splits, lesions, detections, images, candidates
        As in `folds.fold_of`; boxes are of the validation images.
    """
    validation = splits[splits["role"] == "validation"].assign(role="test")
    return fold_of(number, validation, lesions, detections, images, candidates=candidates)


def operating_points(
    fold: Fold, chain: str, evaluation: Evaluation, tested: pd.DataFrame
) -> dict[str, list[dict[str, float]]]:
    """Thresholds at operating points, and the rates that they have on validation and on test images.

    Parameters
    ----------
    fold : Fold
        Of `validation_fold`.
    chain : str
        ``dataset/backbone/init``.
    evaluation : Evaluation
        Definition of a hit, and operating points.
    tested : pandas.DataFrame
        Table ``froc-points`` of the model's test images, of this fold alone.

    Returns
    -------
    dict
        By mode, a list by ascending ``fpi``: ``threshold``, ``tpr_validation``, ``fpi_validation``,
        ``tpr_test`` and ``fpi_test`` (None where the fold tests no lesion). Operating points at which no
        validation lesion is found have no threshold, and are missing.
    """
    at = sorted({*froc.STANDARD_FPI, *map(float, evaluation.operating_points)})
    boxes = matching.of_maps(fold)
    found = {}
    for definition in evaluation.in_modes(chain):
        matches = matching.match(boxes[definition.mode], fold.lesions, fold.images["image_id"], definition)
        counts = froc.count(matches, fold, definition, evaluation.size_strata_cm2)
        curve = froc.curve(counts)
        points = _points(curve, at) if curve.defined else []
        rows = definition.rows(tested)
        found[definition.mode] = [
            point | _on_test(point["threshold"], rows, definition.mode) for point in points
        ]
    return found


def _points(curve: froc.Curve, at: Sequence[float]) -> list[dict[str, float]]:
    return [
        {
            "fpi": fpi,
            "threshold": float(curve.thresholds[place]),
            "tpr_validation": float(curve.tpr[place]),
            "fpi_validation": float(curve.fpi[place]),
        }
        for fpi, place in zip(at, froc.point_at(curve.tpr, curve.fpi, at), strict=True)
        if np.isfinite(curve.thresholds[place])
    ]


def _on_test(threshold: float, points: pd.DataFrame, mode: str) -> dict[str, float | None]:
    """Rates of the test images at a threshold; none where nothing is tested."""
    if points.empty:
        return {"tpr_test": None, "fpi_test": None}
    row = froc.row_at(points, threshold, mode)
    return {"tpr_test": float(row["tpr"]), "fpi_test": float(row["fpi"])}


def chosen(
    points: Sequence[dict[str, float]], fpi: float | None, threshold: float | None
) -> tuple[float, float | None]:
    """Threshold to detect with, and its operating point.

    Parameters
    ----------
    points : sequence of dict
        Of `operating_points`, for one mode.
    fpi : float or None
        One of the operating points.
    threshold : float or None
        In place of an operating point.

    Raises
    ------
    ValueError
        When the operating point is none of the model's.
    """
    if threshold is not None:
        return threshold, None
    by_fpi = {point["fpi"]: point["threshold"] for point in points}
    if fpi not in by_fpi:
        listed = ", ".join(f"{each:g}" for each in by_fpi) or "none"
        raise ValueError(
            f"--fpi: expected one of the operating points of the model ({listed}), got {fpi:g}; "
            "or give a --threshold"
        )
    return by_fpi[fpi], fpi
