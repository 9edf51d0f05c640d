"""Converts operating points of FROC curves to table rows."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from mammoflow.evaluation.definitions import is_external
from mammoflow.report import naming
from mammoflow.report.naming import Labels
from mammoflow.report.tables.presentation import NONE, worded

# FPI of the protocol table.
FPI = (0.5, 1, 2)


def points_at(points: pd.DataFrame, fpi: Sequence[float]) -> pd.DataFrame:
    """Operating points at some of the FPI, ascending."""
    asked = np.isclose(points["fpi"].to_numpy()[:, None], fpi).any(axis=1)
    return points[asked].sort_values("fpi")


def model_of(chain: str, labels: Labels) -> dict[str, str]:
    """Columns that say whose boxes a chain has, and on what data."""
    dataset, backbone, init = chain.split("/")
    if is_external(chain):
        who = {"source": "external", "method": naming.experiment(chain, labels), "cascade": ""}
    else:
        cascade = naming.cascade(dataset, init, labels)
        who = {"source": "ours", "method": labels["backbones"][backbone], "cascade": cascade}
    return {**who, "data": naming.dataset(chain, labels)}


def method(row: Mapping) -> str:
    """Cell that says whose boxes they are; see `model_of`."""
    return ", ".join(part for part in (row["method"], row["cascade"]) if worded(part) != NONE)


def nothing(images: str = "all") -> str:
    """Why there is no value: no fold has both something to find and images of a kind."""
    return "no fold with something to find and normal images" if images == "normal" else "nothing to find"


def unreached(*points: Mapping) -> list[str]:
    """Points that the curves of some folds do not reach, so that the TPR at their ends counts."""
    return [
        f"{point['fpi']:g} FPI not reached in {point['folds'] - point['folds_reached']} of "
        f"{point['folds']} folds"
        for point in points
        if point["folds_reached"] < point["folds"]
    ]


def note_on(*points: Mapping, bootstrap: int) -> str:
    """Why something is missing, or not what it seems, at points of one definition; empty when nothing is."""
    point = points[-1]
    folds = point["folds"]
    if not folds:
        return nothing(point["fpi_over"])
    notes = unreached(*points)
    if folds == 1:
        notes.append("one fold: no deviation")
    if bootstrap and pd.isna(point["bootstrap_low"]):
        notes.append("lesions of fewer than two patients in every fold: no bootstrap")
    if point["folds_normal"] < folds:
        notes.append(f"no normal image in {folds - point['folds_normal']} of {folds} folds")
    return "; ".join(notes)


def at_protocol_fpi(points: pd.DataFrame, bootstrap: int) -> dict[str, object]:
    """Operating points of one definition side by side, and what there is to find."""
    at = {fpi: points_at(points, [fpi]).iloc[0] for fpi in FPI}
    last = at[FPI[-1]]
    return {
        "targets": last["targets"],
        "images": last["images"],
        **{
            f"{column}_at_{fpi:g}": point[column]
            for fpi, point in at.items()
            for column in ("tpr_mean", "tpr_std", "bootstrap_low", "bootstrap_high")
        },
        "folds": last["folds"],
        "note": note_on(*at.values(), bootstrap=bootstrap),
    }
