"""Makes table 4: detection performance, next to published results."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from mammoflow.evaluation.definitions import STRICT_IOU, Definition, Evaluation
from mammoflow.report import literature
from mammoflow.report.naming import BOXES, WHY_BOXES_DIFFER, Labels
from mammoflow.report.tables.operating_points import method, model_of, note_on, points_at
from mammoflow.report.tables.presentation import (
    NONE,
    Cell,
    Presentation,
    formatted,
    text,
    with_published,
    worded,
)

_FROC_KEYS = tuple(Definition().key)

# Columns of the table, chosen among the configured points; the others are in the last column.
_POINTS = 4
_METHOD = ["source", "method", "cascade", "data"]
_DEFINITION = ["subset", "hit_rule", "mode"]


def _chosen(table: pd.DataFrame) -> list[float]:
    """FPI with a column of their own, evenly taken from those of most of our rows."""
    ours = table.loc[table["source"].isin(["ours", "external"]), "fpi"]
    asked = sorted(set(ours if len(ours) else table["fpi"]))
    places = np.linspace(0, len(asked) - 1, min(_POINTS, len(asked))).round().astype(int)
    return [asked[place] for place in places]


def _arranged(table: pd.DataFrame) -> pd.DataFrame:
    """A row for each method and definition, with its TPR by FPI in a mapping."""
    keys = [*_METHOD, *_DEFINITION]
    named = table.assign(**{key: ["" if pd.isna(text) else text for text in table[key]] for key in keys})
    rows = []
    for key, points in named.groupby(keys, sort=False):
        tpr = {point["fpi"]: _tpr(point) for point in points.to_dict("records")}
        rows.append({**dict(zip(keys, key, strict=True)), "tpr": tpr})
    return pd.DataFrame(rows, columns=[*keys, "tpr"])


def _tpr(point: Mapping) -> str:
    mean, std = formatted(point["tpr_mean"], ".2f"), formatted(point["tpr_std"], ".2f")
    return (mean if std == NONE else f"{mean} ± {std}") + ("" if worded(point["note"]) == NONE else "*")


def _columns(table: pd.DataFrame) -> dict[str, Cell]:
    chosen = _chosen(table)

    def definition(row: Mapping) -> str:
        parts = (row["subset"], row["hit_rule"], BOXES.get(row["mode"]))
        return worded("; ".join(filter(None, parts)))

    def at(fpi: float) -> Cell:
        return lambda row: row["tpr"].get(fpi, NONE)

    def elsewhere(row: Mapping) -> str:
        others = {fpi: tpr for fpi, tpr in row["tpr"].items() if fpi not in chosen}
        return worded("; ".join(f"{tpr} at {fpi:g}" for fpi, tpr in others.items()))

    return {
        "Source": text("source"),
        "Method": method,
        "Data": text("data"),
        "Definition": definition,
        **{f"TPR at {fpi:g} FPI": at(fpi) for fpi in chosen},
        "At other FPI": elsewhere,
    }


PRESENTATION = Presentation(
    "Table 4. Detection of masses, and results published on INbreast.",
    _columns,
    "One row a method and definition of a hit. TPR: mean ± sample standard deviation (n − 1) over folds "
    "of the largest TPR at no more than the false positives per image (FPI) above the column; *: see the "
    "note in the CSV, for instance where a fold's curve ends before that FPI and the TPR at its end "
    "counts. The CSV also has intervals of the mean (Student's t over folds, and percentile bootstrap of "
    "patients within folds), FPI on images without and with a mass, and counts. “The paper's boxes” are the "
    "components of the map at each threshold; “fixed candidates” are one set of boxes with scores. "
    f"{WHY_BOXES_DIFFER} Rows of source “external” are detections of other systems, evaluated here on the "
    "same lesions. Rows of source “paper” and “literature” are published numbers on INbreast, not ours; rows "
    "differ in data, subset, hit rule and denominator, and a dash means that our sources do not say.",
    _arranged,
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
        All lesions, with each kind of boxes: at every configured FPI, and with a stricter IoU, where there is
        one, at the configured FPI nearest to the paper's.

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
    own = evaluation.definition
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
        for shown in _shown(chain, points, evaluation)
        for point in shown.to_dict("records")
    ]


def _shown(chain: str, points: pd.DataFrame, evaluation: Evaluation) -> Iterator[pd.DataFrame]:
    """Operating points of each kind of boxes, with the configured hit rule and then with the stricter one."""
    both, at = evaluation.in_modes(chain), evaluation.operating_points
    for definition in both:
        yield points_at(definition.rows(points), at)
    if evaluation.hit != "centre-in-box" and evaluation.iou < STRICT_IOU:
        nearest = min(at, key=lambda fpi: abs(fpi - literature.STRICT_FPI))
        for definition in both:
            yield points_at(replace(definition, iou=STRICT_IOU).rows(points), [nearest])
