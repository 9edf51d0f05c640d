"""Writes tables as CSV and formats them as text."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mammoflow.base import storage
from mammoflow.base.contracts.table import escape

NONE = "–"

_COUNTS = {
    *("fold", "folds", "folds_reached", "folds_normal", "runs", "images", "masses", "targets"),
    *("cases_positive", "cases_negative", "images_positive", "images_negative"),
    *("patches_positive", "patches_negative"),
}

Cell = Callable[[Mapping], str]


# A wider table is not read.
MOST_COLUMNS = 9


@dataclass(frozen=True)
class Presentation:
    """How a table is shown; the CSV has all of it.

    Parameters
    ----------
    title : str
        Above the table.
    columns : mapping of str to callable, or callable
        Cells by the titles of their columns, at most `MOST_COLUMNS`; or what makes them from the table.
    note : str
        Below the table.
    arranged : callable, optional
        Makes the rows to show from those of the table.
    """

    title: str
    columns: Mapping[str, Cell] | Callable[[pd.DataFrame], Mapping[str, Cell]]
    note: str
    arranged: Callable[[pd.DataFrame], pd.DataFrame] = lambda table: table


def with_published(rows: Sequence[Mapping], published: pd.DataFrame) -> pd.DataFrame:
    """Rows of ours, then the published ones, in our columns."""
    ours = pd.DataFrame(rows)
    return typed(pd.concat([ours, published.reindex(columns=ours.columns)], ignore_index=True))


def typed(table: pd.DataFrame) -> pd.DataFrame:
    """Empty text where there is none, and whole numbers where something is counted."""
    texts = table.select_dtypes(exclude="number").columns
    counts = [column for column in table if column in _COUNTS]
    return table.assign(
        **{column: table[column].fillna("") for column in texts},
        **{column: table[column].astype("Int64") for column in counts},
    )


def write(table: pd.DataFrame, presentation: Presentation, csv: str | Path, markdown: str | Path) -> None:
    """Write a table as CSV of plain numbers and as Markdown for reading."""
    with storage.whole(csv) as temporary:
        escape(table).to_csv(temporary, index=False)
    with storage.whole(markdown) as temporary:
        temporary.write_text(to_markdown(table, presentation), encoding="utf-8")


def read(csv: str | Path) -> pd.DataFrame:
    """Read a table that `write` made; empty text is empty text."""
    table = pd.read_csv(csv, keep_default_na=False, na_values=[""])
    texts = table.select_dtypes(exclude=["number", "bool"]).columns
    return table.assign(**{column: table[column].fillna("").str.removeprefix("'") for column in texts})


def to_markdown(table: pd.DataFrame, presentation: Presentation) -> str:
    """Title, readable rows and notes of a table."""
    shown = readable(table, presentation).map(lambda cell: cell.replace("|", "\\|"))
    body = shown.to_markdown(index=False, disable_numparse=True)
    return f"**{presentation.title}**\n\n{body}\n\n{presentation.note}\n"


def readable(table: pd.DataFrame, presentation: Presentation) -> pd.DataFrame:
    """Rows of a table as text for people.

    Parameters
    ----------
    table : pandas.DataFrame
        Of a module's ``table``.
    presentation : Presentation
        Of the same module.

    Returns
    -------
    pandas.DataFrame
        Text only; what does not exist is a dash.
    """
    columns = presentation.columns(table) if callable(presentation.columns) else presentation.columns
    rows = presentation.arranged(table).to_dict("records")
    return pd.DataFrame(
        {title: [worded(cell(row)) for row in rows] for title, cell in columns.items()}, dtype=str
    )


def text(column: str) -> Cell:
    """Cells of a column of text."""
    return lambda row: worded(row[column])


def worded(value: object) -> str:
    """A text in print; a dash where there is none."""
    return NONE if pd.isna(value) or not str(value).strip() else str(value)


def number(column: str, form: str) -> Cell:
    """Cells of a column of numbers."""
    return lambda row: formatted(row[column], form)


def spread(mean: str, std: str, form: str) -> Cell:
    """Cells of a mean and a deviation."""
    return lambda row: (
        f"{formatted(row[mean], form)} ± {formatted(row[std], form)}" if pd.notna(row[mean]) else NONE
    )


def interval(low: str, high: str) -> Cell:
    """Cells of two ends of an interval."""
    return lambda row: (
        f"{formatted(row[low], '.2f')}{NONE}{formatted(row[high], '.2f')}" if pd.notna(row[low]) else NONE
    )


def with_interval(cell: Cell, low: str, high: str) -> Cell:
    """Cells of a value, and its interval in brackets where there is one."""

    def both(row: Mapping) -> str:
        value = cell(row)
        whole = value != NONE and pd.notna(row[low]) and pd.notna(row[high])
        return f"{value} ({interval(low, high)(row)})" if whole else value

    return both


def pair(positive: str, negative: str) -> Cell:
    """Cells of positive and negative counts."""
    return lambda row: f"{formatted(row[positive], 'd')} / {formatted(row[negative], 'd')}"


def p(what: str) -> Cell:
    """Cells of a p-value and what the test was against."""

    def cell(row: Mapping) -> str:
        if pd.isna(row[f"p_{what}"]) or worded(row[f"{what}_against"]) == NONE:
            return NONE
        return f"{p_of(row[f'p_{what}'])} (against {row[f'{what}_against']})"

    return cell


def p_of(p: float) -> str:
    """A p-value in print."""
    return NONE if pd.isna(p) else "< 0.001" if p < 0.001 else format(p, ".3f")


def formatted(value: float, form: str) -> str:
    """A number in print; a dash where there is none."""
    if pd.isna(value):
        return NONE
    return format(int(value) if form.endswith("d") else value, form)
