"""Writes and reads the tables that stages exchange, and checks their columns and types."""

from collections.abc import Iterable, Mapping, Sequence
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
        Name used in messages.
    columns : mapping of str to type
        Names and types, in order. Cells of type float and str may be empty, others may not.
    """

    name: str
    columns: Mapping[str, type]

    def check(self, frame: pd.DataFrame, origin: str = "table") -> pd.DataFrame:
        """Check a frame and return it with exactly the columns and types of this table.

        Parameters
        ----------
        frame : pandas.DataFrame
            Rows in any column order.
        origin : str
            Source of the rows, for the message.

        Raises
        ------
        ValueError
            When a column is missing or unknown, or a cell does not have the type of its column: int columns
            accept only whole numbers (not 1.7), bool columns only true and false.
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
        """Check rows and write the complete file, as CSV or Parquet depending on the path's suffix.

        Text cells that a spreadsheet would execute as a formula get a leading apostrophe, which
        `read` removes again.
        """
        frame = self.check(frame, origin=str(path))
        with storage.whole(path) as temporary:
            if Path(path).suffix == ".parquet":
                frame.to_parquet(temporary, index=False)
            else:
                escape(frame).to_csv(temporary, index=False)

    def read(self, path: str | Path, filters: Sequence[tuple] | None = None) -> pd.DataFrame:
        """Read a table made by `write`, and check it; `user_tables` reads those of users.

        Parameters
        ----------
        path : str or Path
            A CSV or Parquet file.
        filters : sequence of (str, str, object), optional
            Conditions ``(column, operator, value)``: only rows that meet all of them are loaded into
            memory. Parquet only.

        Raises
        ------
        ValueError
            As for `check`; the message names the file.
        """
        if Path(path).suffix == ".parquet":
            return self.check(pd.read_parquet(path, filters=filters), origin=str(path))
        if filters is not None:
            raise ValueError(f"{path}: expected a Parquet file, because only these can be read with filters")
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

    def read_all(self, paths: Iterable[str | Path], filters: Sequence[tuple] | None = None) -> pd.DataFrame:
        """The rows of several tables, one after the other; see `read`."""
        return self.check(pd.concat([self.read(path, filters) for path in paths], ignore_index=True))


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
    """Copy of a frame in which text cells that look like formulas are escaped by an apostrophe."""

    def escaped(cell: object) -> object:
        return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell

    texts = frame.select_dtypes(exclude=["number", "bool"]).columns
    return frame.assign(**{column: frame[column].map(escaped) for column in texts})
