"""Builds one HTML page with all tables and figures, which needs neither internet access nor scripts."""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape

import pandas as pd

from mammoflow.evaluation.definitions import Evaluation
from mammoflow.report.naming import Labels, initialization
from mammoflow.report.tables.presentation import NONE

# The order of the paper, and our own tables after the one that they add to; other things come after.
ORDER = (
    *("table-1", "figure-1", "table-2", "figure-2", "table-3"),
    *("figure-3", "table-4", "table-comparison", "table-protocol", "figure-4", "figure-5"),
)

# Config keys whose values are places on somebody's machine: a page that is passed on does not name them.
_FOLDERS = {"workspace", "root", "path", "splits"}

_STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; color: #222; background: #fff;
       max-width: 76rem; margin: 2rem auto; padding: 0 1.5rem; }
header { border-bottom: 2px solid #0072b2; margin-bottom: 2rem; }
h1 { font-size: 1.6rem; margin: 0; }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .6rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1.2rem; }
dt { color: #666; }
dd { margin: 0; overflow-wrap: anywhere; }
nav a { margin-right: .9rem; white-space: nowrap; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .82rem; font-variant-numeric: tabular-nums; }
th { text-align: left; border-bottom: 1.5px solid #222; vertical-align: bottom; }
th, td { padding: .25rem .7rem .25rem 0; }
td { border-bottom: 1px solid #e4e4e4; }
tr.published td { color: #666; background: #f7f7f7; }
figure { margin: 0; }
img { max-width: 100%; height: auto; }
figcaption, .note { color: #555; font-size: .85rem; max-width: 60rem; }
summary { cursor: pointer; }
@media print { nav { display: none; } section { break-inside: avoid; } }
"""


@dataclass(frozen=True)
class Table:
    """A table to show.

    Attributes
    ----------
    title : str
    rows : pandas.DataFrame
        Text; rows whose column ``Source`` is neither ``ours`` nor ``external`` are set apart.
    note : str
    """

    title: str
    rows: pd.DataFrame
    note: str

    def html(self) -> str:
        """The table with its heading and note."""
        return f"<h2>{escape(self.title)}</h2>\n{_table(self.rows)}\n<p class='note'>{escape(self.note)}</p>"


@dataclass(frozen=True)
class Picture:
    """A figure to show.

    Attributes
    ----------
    title : str
    png : bytes
    caption : str
    """

    title: str
    png: bytes
    caption: str

    def html(self) -> str:
        """The figure with its heading and caption, the image itself in the page."""
        source = f"data:image/png;base64,{base64.b64encode(self.png).decode()}"
        return (
            f"<h2>{escape(self.title)}</h2>\n<figure><img src='{source}' alt='{escape(self.caption)}'>"
            f"<figcaption>{escape(self.caption)}</figcaption></figure>"
        )


def page(
    shown: Mapping[str, Table | Picture],
    reconciliation: Table,
    config: Mapping,
    labels: Labels,
    provenance: Mapping[str, object],
) -> str:
    """The page.

    Parameters
    ----------
    shown : mapping of str to Table or Picture
        By the names in `ORDER`, and others, which come after in the order of the mapping.
    reconciliation : Table
        With columns Data and Fold, which is a dash for the whole release.
    config : mapping
        The checked config of the study.
    labels : mapping
        As in `naming`.
    provenance : mapping
        Of `provenance.record`.

    Returns
    -------
    str
        HTML with everything in it.
    """
    title = _title(config, labels)
    names = [*ORDER, *(name for name in shown if name not in ORDER)]
    sections = [f"<section id='{name}'>\n{shown[name].html()}\n</section>" for name in names]
    sections.append(f"<section id='reconciliation'>\n{_reconciliation(reconciliation)}\n</section>")
    contents = " ".join(
        f"<a href='#{name}'>{name.replace('-', ' ').capitalize()}</a>" for name in [*names, "reconciliation"]
    )
    return "\n".join(
        [
            "<!doctype html>",
            "<html lang='en'><head><meta charset='utf-8'>",
            "<meta name='viewport' content='width=device-width, initial-scale=1'>",
            f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>",
            f"<header><h1>{escape(title)}</h1>{_definitions(_summary(config, labels, provenance))}",
            f"<nav>{contents}</nav></header>",
            *sections,
            "<section><details><summary>Whole config</summary>",
            _definitions(dict(flattened(config))),
            "</details></section></body></html>\n",
        ]
    )


def flattened(config: Mapping, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every value of a nested config with its dotted key, as text, less the user's folders.

    Examples
    --------
    >>> list(flattened({"a": {"b": [1, 2]}, "c": None}))
    [('a.b', '1, 2'), ('c', 'none')]
    """
    for key, value in config.items():
        if key in _FOLDERS:
            continue
        if isinstance(value, Mapping) and value:
            yield from flattened(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", _words(value)


def _words(value: object) -> str:
    if value is None or value == {}:
        return "none"
    if isinstance(value, list | tuple):
        return ", ".join(map(_words, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _title(config: Mapping, labels: Labels) -> str:
    learnt, tested = (config["experiments"][name]["dataset"] for name in ("classification", "detection"))
    names = dict.fromkeys(labels["datasets"][name] for name in (learnt, tested))
    return f"Mass detection in mammograms: {', '.join(names)}"


def _summary(config: Mapping, labels: Labels, provenance: Mapping[str, object]) -> dict[str, str]:
    experiments = config["experiments"]
    evaluation = Evaluation(**config["detection"]["evaluation"]).definition
    commit = provenance["commit"] or "unknown"
    return {
        "Experiment 1": _experiment(experiments["classification"], labels),
        "Experiments 2 and 3": _experiment(experiments["detection"], labels),
        "Patches": "{window}×{window} pixels, stride {stride}".format(**config["patches"]),
        "Evaluation": f"{evaluation.rule}, boxes of mode {evaluation.mode}",
        "Seed": str(config["seed"]),
        "Made": str(provenance["written"]),
        "Code": f"commit {commit}{', with changes' if provenance['dirty'] else ''}",
        "Reference": "Agarwal et al., Journal of Medical Imaging 6(3), 031409 (2019), "
        "doi:10.1117/1.JMI.6.3.031409",
    }


def _experiment(experiment: Mapping, labels: Labels) -> str:
    networks = ", ".join(labels["backbones"][name] for name in experiment["backbones"])
    inits = ", ".join(initialization(init, labels) for init in experiment["initializations"])
    runs = f"{experiment['runs']} run{'s' if experiment['runs'] > 1 else ''}"
    return f"{labels['datasets'][experiment['dataset']]}: {networks}; from {inits}; {runs}"


def _definitions(facts: Mapping[str, str]) -> str:
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in facts.items())
    return f"<dl>{rows}</dl>"


def _table(rows: pd.DataFrame) -> str:
    head = "".join(f"<th scope='col'>{escape(str(name))}</th>" for name in rows)
    body = "\n".join(
        f"<tr{_class(row)}>{''.join(f'<td>{escape(str(cell))}</td>' for cell in row.values())}</tr>"
        for row in rows.to_dict("records")
    )
    return f"<div class='wide'><table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></div>"


def _class(row: Mapping) -> str:
    return "" if row.get("Source", "ours") in ("ours", "external") else " class='published'"


def _reconciliation(table: Table) -> str:
    """What was found of each data set beside what the paper counts; the folds can be unfolded."""
    parts = []
    for label, rows in table.rows.groupby("Data", sort=False):
        whole, folds = rows[rows["Fold"] == NONE], rows[rows["Fold"] != NONE]
        shown = Table(f"{table.title} {label}", whole.drop(columns=["Data", "Fold"]), table.note)
        parts += [shown.html(), "<details><summary>Fold by fold</summary>"]
        parts += [_table(folds.drop(columns="Data")), "</details>"]
    return "\n".join(parts)
