"""Checks tables that are passed to a public function."""

from collections.abc import Sequence

import numpy as np
import pandas as pd


def require(table: pd.DataFrame, name: str, columns: Sequence[str]) -> None:
    """Refuse a table without some columns, or with empty cells in them.

    Parameters
    ----------
    table : pandas.DataFrame
        As passed by the user.
    name : str
        Name of the argument, for the message.
    columns : sequence of str
        Required columns; there may be others.

    Raises
    ------
    ValueError
        For the missing columns, or for the first column with an empty cell.
    """
    missing = [column for column in columns if column not in table]
    if missing:
        raise ValueError(f"{name}: expected columns {', '.join(columns)}; {', '.join(missing)} missing")
    for column in columns:
        if empty := int(table[column].isna().sum()):
            raise ValueError(f"{name}: expected a value of {column} in every row, got {empty} without")


def numbers(table: pd.DataFrame, name: str, columns: Sequence[str]) -> pd.DataFrame:
    """A table with some of its columns as finite floats.

    Parameters
    ----------
    table, name, columns
        As for `require`.

    Raises
    ------
    ValueError
        As for `require`, and for the first cell that is not a finite number.
    """
    require(table, name, columns)
    found = {column: pd.to_numeric(table[column], errors="coerce").astype(float) for column in columns}
    for column, values in found.items():
        wrong = table.loc[~np.isfinite(values.to_numpy()), column]
        if len(wrong):
            raise ValueError(f"{name}: expected a finite number as every {column}, got '{wrong.iloc[0]}'")
    return table.assign(**found)
