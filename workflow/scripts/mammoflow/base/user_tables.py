"""Tables that users provide, in whichever separator and encoding their spreadsheet program saved them."""

import codecs
import csv
import io
import re
from collections.abc import Collection
from pathlib import Path

import pandas as pd

from mammoflow.base.contracts.table import Table

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}

# The longer marks first: that of UTF-32 begins like that of UTF-16.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
# Excel reads, and some programs write, a first line that only names the separator.
_SEPARATOR_LINE = re.compile(r'"?sep=."?\r?\n')
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d*,\d+(?:[eE][+-]?\d+)?\s*")


def read(path: Path, columns: Collection[str], kind: str, numbers: Collection[str] = ()) -> pd.DataFrame:
    """Table of texts.

    Parameters
    ----------
    path : Path
        Text in UTF-8, UTF-16 or Windows-1252, separated by any of `SEPARATORS`. Rows may be shorter than
        the header, and longer by empty fields.
    columns : collection of str
        Columns that the table must have; the separator is the one that gives most of them.
    kind : str
        What is expected, for the message: ``a table of …``.
    numbers : collection of str, optional
        Columns in which decimal commas become points, where commas do not separate the fields.

    Returns
    -------
    pandas.DataFrame
        All columns that have a name, without blanks around it. Lines without any field, and rows at the
        end that hold nothing, are left out.

    Raises
    ------
    ValueError
        When the file is no such table, a column is missing or there twice, or a field has no column; also
        for decimal commas beside decimal points.
    """
    frame, separator = _texts(Path(path), columns, kind)
    return _with_points(frame, numbers, separator, path)


def read_as(table: Table, path: str | Path) -> pd.DataFrame:
    """A user's own table of a kind that the workflow knows.

    Parameters
    ----------
    table : Table
        The kind.
    path : str or Path
        Of a Parquet file, by its suffix, or else of text as in `read`. Numbers may have decimal commas
        where the separator is none.

    Returns
    -------
    pandas.DataFrame
        Of `Table.check`. The apostrophe that `Table.write` puts before some texts is taken off again.

    Raises
    ------
    ValueError
        As `read` and `Table.check`; also for decimal commas beside decimal points.
    """
    path, kind = Path(path), f"a '{table.name}' table"
    if path.suffix == ".parquet":
        try:
            frame = pd.read_parquet(path)
        except (OSError, ValueError) as error:
            raise unreadable(path, f"{kind} as a Parquet file", error) from error
        return table.check(frame, origin=str(path))
    frame, separator = _texts(path, table.columns, kind)
    numbers = [column for column in frame if table.columns.get(column, str) is not str]
    texts = [column for column in frame if table.columns.get(column) is str]
    frame = _with_points(frame, numbers, separator, path)
    frame[numbers] = frame[numbers].apply(lambda column: column.where(column.str.strip() != "", None))
    frame[texts] = frame[texts].apply(lambda column: column.str.removeprefix("'"))
    return table.check(frame, origin=str(path))


def text(path: Path, kind: str) -> str:
    """Text of a user's file, without a byte-order mark.

    Parameters
    ----------
    path : Path
        In UTF-8, UTF-16 (without a mark, too) or, where it is none of them, Windows-1252.
    kind : str
        What is expected, for the message.

    Raises
    ------
    ValueError
        When the file cannot be read, is a workbook, or is no text in these encodings.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ValueError(
            f"{path}: expected {kind}, got a file that cannot be read ({error.strerror})"
        ) from error
    if content.startswith(_WORKBOOKS):
        raise ValueError(f"{path}: expected {kind}, got an Excel workbook, which should be saved as CSV")
    for encoding in _encodings(content):
        try:
            return content.decode(encoding).removeprefix("\ufeff")
        except UnicodeDecodeError:
            continue
    raise ValueError(
        f"{path}: expected {kind} in UTF-8, UTF-16 or Windows-1252, got {len(content)} bytes of none of them"
    )


def unreadable(path: Path, kind: str, error: Exception) -> ValueError:
    """Error that says, in one line, what was expected of a file that a library cannot read."""
    return ValueError(f"{path}: expected {kind}, got {type(error).__name__} ({' '.join(str(error).split())})")


def _encodings(content: bytes) -> list[str]:
    """Encodings that a text may be in, the most likely first."""
    for mark, encoding in _MARKS.items():
        if content.startswith(mark):
            return [encoding]
    if b"\0" in content[:2]:
        return ["utf-16-be" if content[0] == 0 else "utf-16-le"]
    return ["utf-8", "cp1252"]


def _texts(path: Path, columns: Collection[str], kind: str) -> tuple[pd.DataFrame, str]:
    """Cells of a table as they are written, and its separator."""
    content = text(path, kind)
    if first := _SEPARATOR_LINE.match(content):
        content = content[first.end() :]
    headers = {separator: _header(content, separator) for separator in SEPARATORS}
    separator = max(headers, key=lambda separator: len(headers[separator] & set(columns)))
    if not content.strip():
        raise ValueError(f"{path}: expected {kind}, got an empty file")
    if missing := [column for column in columns if column not in headers[separator]]:
        raise ValueError(
            f"{path}: expected the columns of {kind}, separated by {_listed(SEPARATORS.values())}, "
            f"missing {missing} among {len(headers[separator])}"
        )
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=separator, strict=True)
    start = 1
    rows = []
    try:
        for row in reader:
            rows += [row] if row else []
            start = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(
            f"{path}: expected {kind} separated by {SEPARATORS[separator]}, got a row from line {start} on "
            f"that does not end as one ({error})"
        ) from error
    while rows and not any(map(str.strip, rows[-1])):
        rows.pop()
    header, *rows = rows
    names = [name.strip() for name in header]
    named = [place for place, name in enumerate(names) if name]
    for row in rows:
        if any(cell.strip() for place, cell in enumerate(row) if place >= len(names) or not names[place]):
            raise ValueError(
                f"{path}: expected {kind} separated by {SEPARATORS[separator]}, got rows with more fields "
                "than the header has columns"
            )
    twice = sorted({name for name in columns if names.count(name) > 1})
    if twice:
        raise ValueError(f"{path}: expected {kind} with each column once, got {_listed(twice)} twice")
    cells = [[row[place] if place < len(row) else "" for place in named] for row in rows]
    frame = pd.DataFrame(cells, columns=[names[place] for place in named], dtype=str)
    return frame.loc[:, ~frame.columns.duplicated()], separator


def _header(content: str, separator: str) -> set[str]:
    """Names in the first line of a text that has any; none where a separator makes no row of it."""
    try:
        rows = csv.reader(io.StringIO(content, newline=""), delimiter=separator, strict=True)
        return {name.strip() for name in next((row for row in rows if row), [])}
    except csv.Error:
        return set()


def _with_points(frame: pd.DataFrame, columns: Collection[str], separator: str, path: Path) -> pd.DataFrame:
    """Table with decimal points for the decimal commas of some columns."""
    cells = frame[[column for column in columns if column in frame]]
    commas = cells.apply(lambda column: column.map(lambda cell: bool(_DECIMAL_COMMA.fullmatch(cell))))
    if separator == "," or not commas.any(axis=None):
        return frame
    points = cells.apply(lambda column: column.str.contains(".", regex=False))
    if points.any(axis=None):
        raise ValueError(
            f"{path}: expected numbers with one decimal sign, got some with a comma and some with a point"
        )
    return frame.assign(**cells.apply(lambda column: column.str.replace(",", ".", regex=False)))


def _listed(words: Collection[str]) -> str:
    """Words in a sentence: ``a, b or c``."""
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last
