"""The columns, types and checks of every table that crosses a stage boundary."""

from pathlib import Path

import pandas as pd

from mammoflow import storage

BOX = {"y0": int, "x0": int, "y1": int, "x1": int}
FROC_KEYS = {"mode": str, "stratum": str, "iou": float}

# float columns may be empty; text columns may be empty text; the rest may not be empty.
COLUMNS: dict[str, dict[str, type]] = {
    "images": {
        "image_id": str,
        "patient_id": str,
        "laterality": str,
        "view": str,
        "official_split": str,
        "path": str,
        "rows": int,
        "columns": int,
        "spacing_mm": float,
        "spacing_source": str,
        "flags": str,
    },
    "lesions": {
        "image_id": str,
        "lesion_id": str,
        **BOX,
        "area_px": int,
        "area_cm2": float,
        "pathology": str,
        "source": str,
    },
    "excluded": {"path": str, "reason": str, "detail": str},
    "reconciliation": {"quantity": str, "paper": float, "found": float, "difference": float},
    "stored": {"image_id": str, "stored": bool, "reason": str, "detail": str},
    "splits": {"image_id": str, "patient_id": str, "fold": int, "role": str},
    "history": {
        "epoch": int,
        "loss": float,
        "accuracy": float,
        "az": float,
        "validation_loss": float,
        "validation_accuracy": float,
        "validation_az": float,
        "learning_rate": float,
        "seconds": float,
    },
    "classification": {"image_id": str, "y": int, "x": int, "label": int, "probability": float},
    "detections": {"image_id": str, "threshold": float, **BOX, "score": float},
    "froc-points": {
        **FROC_KEYS,
        "fold": int,
        "threshold": float,
        "tpr": float,
        "fpi": float,
        "hits": int,
        "lesions": int,
        "false_positives": int,
        "images": int,
    },
    "froc-curve": {
        **FROC_KEYS,
        "fpi": float,
        "tpr_mean": float,
        "tpr_std": float,
        "tpr_low": float,
        "tpr_high": float,
        "folds": int,
    },
    "froc-operating-points": {
        **FROC_KEYS,
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
}

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")


def check(frame: pd.DataFrame, name: str, origin: str = "table") -> pd.DataFrame:
    """Frame with exactly the columns and types of a named table.

    Parameters
    ----------
    frame : pandas.DataFrame
        Rows in any column order.
    name : str
        A key of `COLUMNS`.
    origin : str
        Where the rows come from, for the message.

    Raises
    ------
    ValueError
        When a column is missing or unknown, or a cell does not convert to its type.
    """
    columns = COLUMNS[name]
    missing = [column for column in columns if column not in frame]
    unknown = [column for column in frame if column not in columns]
    if missing or unknown:
        raise ValueError(
            f"{origin}: expected the columns of a '{name}' table ({', '.join(columns)}), "
            f"missing {missing or 'none'}, unknown {unknown or 'none'}"
        )
    checked = {}
    for column, kind in columns.items():
        try:
            if kind is str:
                checked[column] = frame[column].fillna("").astype(str)
            else:
                checked[column] = frame[column].astype(kind)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"{origin}: column '{column}' of a '{name}' table should hold {kind.__name__}: {error}"
            ) from error
    return pd.DataFrame(checked, columns=list(columns)).reset_index(drop=True)


def write(frame: pd.DataFrame, path: str | Path, name: str) -> None:
    """Check a table and write it whole, as CSV or Parquet by the path's suffix.

    Text cells that a spreadsheet would run as a formula get a leading apostrophe, which
    `read` takes off again.
    """
    frame = check(frame, name, origin=str(path))
    with storage.whole(path) as temporary:
        if Path(path).suffix == ".parquet":
            frame.to_parquet(temporary, index=False)
        else:
            escape(frame).to_csv(temporary, index=False)


def read(path: str | Path, name: str) -> pd.DataFrame:
    """Read a table that `write` made, or one of a user's own, and check it.

    Raises
    ------
    ValueError
        As `check`; the message names the file.
    """
    if Path(path).suffix == ".parquet":
        return check(pd.read_parquet(path), name, origin=str(path))
    texts = {column: str for column, kind in COLUMNS[name].items() if kind is str}
    frame = pd.read_csv(
        path,
        dtype=texts,
        keep_default_na=False,
        na_values={column: [""] for column, kind in COLUMNS[name].items() if kind is not str},
    )
    frame = check(frame, name, origin=str(path))
    for column in texts:
        frame[column] = frame[column].str.removeprefix("'")
    return frame


def escape(frame: pd.DataFrame) -> pd.DataFrame:
    """Copy of a frame whose text cells no spreadsheet takes for a formula."""

    def escaped(cell: object) -> object:
        return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell

    texts = frame.select_dtypes(exclude=["number", "bool"]).columns
    return frame.assign(**{column: frame[column].map(escaped) for column in texts})
