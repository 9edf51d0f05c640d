"""Tables that cross a stage boundary: checked when written and when read; `contracts` has each of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mammoflow.base import storage

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")


@dataclass(frozen=True)
class Table:
    """A kind of table.

    Parameters
    ----------
    name : str
        For messages.
    columns : mapping of str to type
        Names and types, in order. Cells of type float may be empty, of type str may be empty text;
        the rest may not be empty.
    """

    name: str
    columns: Mapping[str, type]

    def check(self, frame: pd.DataFrame, origin: str = "table") -> pd.DataFrame:
        """Frame with exactly the columns and types of this table.

        Parameters
        ----------
        frame : pandas.DataFrame
            Rows in any column order.
        origin : str
            Where the rows come from, for the message.

        Raises
        ------
        ValueError
            When a column is missing or unknown, or a cell is not of its type: whole numbers stay what
            they are, 1.7 is none, and truth is true or false.
        """
        missing = [column for column in self.columns if column not in frame]
        unknown = [column for column in frame if column not in self.columns]
        if missing or unknown:
            raise ValueError(
                f"{origin}: expected the columns of a '{self.name}' table ({', '.join(self.columns)}), "
                f"missing {missing or 'none'}, unknown {unknown or 'none'}"
            )
        checked = {}
        for column, kind in self.columns.items():
            try:
                checked[column] = _CONVERTED[kind](frame[column])
            except (OverflowError, TypeError, ValueError) as error:
                place = f"{origin}: column '{column}' of a '{self.name}' table"
                raise ValueError(f"{place} should hold {kind.__name__}: {error}") from error
        return pd.DataFrame(checked, columns=list(self.columns)).reset_index(drop=True)

    def write(self, frame: pd.DataFrame, path: str | Path) -> None:
        """Check rows and write them whole, as CSV or Parquet by the path's suffix.

        Text cells that a spreadsheet would run as a formula get a leading apostrophe, which
        `read` takes off again.
        """
        frame = self.check(frame, origin=str(path))
        with storage.whole(path) as temporary:
            if Path(path).suffix == ".parquet":
                frame.to_parquet(temporary, index=False)
            else:
                escape(frame).to_csv(temporary, index=False)

    def read(self, path: str | Path, filters: Sequence[tuple] | None = None) -> pd.DataFrame:
        """Read a table that `write` made, and check it; `user_tables` reads a user's own.

        Parameters
        ----------
        path : str or Path
            Of a CSV or Parquet file.
        filters : sequence of (str, str, object), optional
            Conditions ``(column, operator, value)`` that all hold for the rows that are wanted; Parquet
            only, where the others never come into memory.

        Raises
        ------
        ValueError
            As `check`; the message names the file.
        """
        if Path(path).suffix == ".parquet":
            return self.check(pd.read_parquet(path, filters=filters), origin=str(path))
        if filters is not None:
            raise ValueError(f"{path}: expected a Parquet file, of which rows can be left unread")
        texts = {column: str for column, kind in self.columns.items() if kind is str}
        try:
            frame = pd.read_csv(
                path,
                dtype=texts,
                index_col=False,
                keep_default_na=False,
                na_values={column: [""] for column in self.columns if column not in texts},
            )
        except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError) as error:
            raise ValueError(
                f"{path}: expected a '{self.name}' table as CSV in UTF-8, got {error}"
            ) from error
        frame = self.check(frame, origin=str(path))
        for column in texts:
            frame[column] = frame[column].str.removeprefix("'")
        return frame


def _text(cells: pd.Series) -> pd.Series:
    return cells.fillna("").astype(str)


def _whole(cells: pd.Series) -> pd.Series:
    numbers = pd.to_numeric(cells)
    whole = numbers.astype("int64")
    wrong = numbers[whole != numbers]
    if len(wrong):
        raise ValueError(f"expected whole numbers, got {wrong.iloc[0]}")
    return whole


def _number(cells: pd.Series) -> pd.Series:
    return cells.astype(float)


def _truth(cells: pd.Series) -> pd.Series:
    words = cells.astype(str).str.lower()
    wrong = cells[~words.isin(["true", "false"])]
    if len(wrong):
        raise ValueError(f"expected true or false, got {wrong.iloc[0]!r}")
    return (words == "true").astype(bool)


_CONVERTED = {str: _text, int: _whole, float: _number, bool: _truth}


def escape(frame: pd.DataFrame) -> pd.DataFrame:
    """Copy of a frame whose text cells no spreadsheet takes for a formula."""

    def escaped(cell: object) -> object:
        return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell

    texts = frame.select_dtypes(exclude=["number", "bool"]).columns
    return frame.assign(**{column: frame[column].map(escaped) for column in texts})
