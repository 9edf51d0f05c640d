"""Free-response ROC: every threshold of every fold, the mean curve, and its points of interest."""

from mammoflow.tables import Table

_KEYS = {"mode": str, "stratum": str, "iou": float}

POINTS = Table(
    "froc-points",
    {
        **_KEYS,
        "fold": int,
        "threshold": float,
        "tpr": float,
        "fpi": float,
        "hits": int,
        "lesions": int,
        "false_positives": int,
        "images": int,
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
        "folds": int,
        "folds_reached": int,
    },
)
