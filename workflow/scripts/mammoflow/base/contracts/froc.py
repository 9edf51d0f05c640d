"""Defines the tables of the FROC analysis: points of every fold, mean curve, operating points and areas.

The key columns name the definition used for counting, see `evaluation.definitions.Definition`.
"""

from mammoflow.base.contracts.table import Table

_KEYS = {
    "mode": str,
    "hit": str,
    "iou": float,
    "duplicates": str,
    "lesions": str,
    "fpi_over": str,
    "unit": str,
    "subset": str,
}

POINTS = Table(
    "froc-points",
    {
        **_KEYS,
        "fold": int,
        "threshold": float,
        "tpr": float,
        "fpi": float,
        "hits": int,
        "targets": int,
        "false_positives": int,
        "images": int,
        "normal_false_positives": int,
        "normal_images": int,
    },
)
CURVE = Table(
    "froc-curve",
    {
        **_KEYS,
        "fpi": float,
        "tpr_mean": float,
        "tpr_std": float,
        "tpr_low": float,
        "tpr_high": float,
        "folds": int,
    },
)
# All test images together, every image once and with one threshold for all folds.
POOLED = Table(
    "froc-pooled",
    {
        **_KEYS,
        "threshold": float,
        "tpr": float,
        "fpi": float,
        "hits": int,
        "targets": int,
        "false_positives": int,
        "images": int,
    },
)
OPERATING_POINTS = Table(
    "froc-operating-points",
    {
        **_KEYS,
        "fpi": float,
        "tpr_mean": float,
        "tpr_std": float,
        "t_low": float,
        "t_high": float,
        "bootstrap_low": float,
        "bootstrap_high": float,
        "tpr_pooled": float,
        "tpr_ceiling": float,
        "fpi_normal": float,
        "fpi_mass": float,
        "targets": int,
        "images": int,
        "folds": int,
        "folds_reached": int,
        "folds_normal": int,
    },
)
FOLDS = Table(
    "froc-folds",
    {
        **_KEYS,
        "fold": int,
        "fpi": float,
        "tpr": float,
        "reached": bool,
        "threshold": float,
        "fpi_there": float,
    },
)
MERITS = Table(
    "froc-merits",
    {
        "measure": str,
        "mean": float,
        "std": float,
        "t_low": float,
        "t_high": float,
        "bootstrap_low": float,
        "bootstrap_high": float,
        "folds": int,
    },
)
# One value over all folds per bootstrap draw of patients. Draws have the same order for every model, so that
# models can be compared in pairs.
DRAWS = Table("froc-draws", {"mode": str, "measure": str, "fpi": float, "draw": int, "value": float})
