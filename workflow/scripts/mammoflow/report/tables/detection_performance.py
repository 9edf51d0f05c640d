"""Makes table 4: detection performance, next to published results."""

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from mammoflow.evaluation.definitions import STRICT_IOU, Definition, Evaluation
from mammoflow.report import literature
from mammoflow.report.naming import Labels
from mammoflow.report.tables.operating_points import method, model_of, note_on, points_at
from mammoflow.report.tables.presentation import (
    Presentation,
    formatted,
    interval,
    number,
    spread,
    text,
    with_published,
)

_FROC_KEYS = tuple(Definition().key)

PRESENTATION = Presentation(
    "Table 4. Detection of masses, and results published on INbreast.",
    {
        "Source": text("source"),
        "Method": method,
        "Data": text("data"),
        "FPI": number("fpi", "g"),
        "TPR": spread("tpr_mean", "tpr_std", ".2f"),
        "95 % t": interval("t_low", "t_high"),
        "95 % bootstrap": interval("bootstrap_low", "bootstrap_high"),
        "Note": text("note"),
        "FPI normal / mass": lambda row: (
            f"{formatted(row['fpi_normal'], '.2f')} / {formatted(row['fpi_mass'], '.2f')}"
        ),
        "# images": number("images", "d"),
        "Subset": text("subset"),
        "Hit rule": text("hit_rule"),
        "Mode": text("mode"),
        "FPI over": text("denominator"),
    },
    "TPR: mean ± sample standard deviation (n − 1) over folds of the largest TPR at no more than the "
    "given false positives per image (FPI); where a fold's curve ends before it, the TPR at its end "
    "counts and the note says so. Intervals of the mean: Student's t over folds, and percentile "
    "bootstrap of patients within folds. FPI normal / mass: false positives per image without and with "
    "a mass at the points that the TPR is read from, mean over the folds that have such images. Mode "
    "“paper”: the boxes are the components of the map at each threshold; “candidate”: fixed boxes with "
    "scores. Rows of source “external” are given boxes of somebody else's, held against the same lesions "
    "here. Rows of source “paper” and “literature” are published numbers on INbreast, not ours; rows "
    "differ in data, subset, hit rule and denominator, and a dash means that our sources do not say.",
)


def table(
    operating_points: Mapping[str, pd.DataFrame], evaluation: Evaluation, labels: Labels
) -> pd.DataFrame:
    """Table 4: TPR at the configured FPI, then the paper's points and the literature's.

    Parameters
    ----------
    operating_points : mapping of str to pandas.DataFrame
        Table ``froc-operating-points`` of each chain.
    evaluation : Evaluation
        The settings.
    labels : mapping
        As in `naming`.

    Returns
    -------
    pandas.DataFrame
        All lesions, as configured: at every configured FPI, and with a stricter IoU, where there is one, at
        the configured FPI nearest to the paper's.

    References
    ----------
    Section 4, table 4.
    """
    rows = [
        row
        for chain, points in operating_points.items()
        for row in _points_of_chain(chain, points, evaluation, labels)
    ]
    return with_published(rows, literature.operating_points())


def _points_of_chain(chain: str, points: pd.DataFrame, evaluation: Evaluation, labels: Labels) -> list[dict]:
    own, at = evaluation.definition_of(chain), list(evaluation.operating_points)
    shown = [points_at(own.rows(points), at)]
    if own.hit != "centre-in-box" and own.iou < STRICT_IOU:
        nearest = min(at, key=lambda fpi: abs(fpi - literature.STRICT_FPI))
        shown.append(points_at(replace(own, iou=STRICT_IOU).rows(points), [nearest]))
    return [
        {
            **model_of(chain, labels),
            **{column: value for column, value in point.items() if column not in _FROC_KEYS},
            "note": note_on(point, bootstrap=evaluation.bootstrap),
            "subset": "all images" if own.fpi_over == "all" else f"{own.fpi_over} images",
            "hit_rule": Definition(**{key: point[key] for key in _FROC_KEYS}).rule,
            "mode": point["mode"],
            "denominator": f"{point['images']} images",
        }
        for point in pd.concat(shown).to_dict("records")
    ]
