"""One HTML page with every table and figure, which needs neither a network nor scripts."""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from math import nan

import pandas as pd

from mammoflow.contracts.stored import LESION_OUTSIDE
from mammoflow.naming import Labels, initialization

# The order of the paper.
ORDER = (
    *("table-1", "figure-1", "table-2", "figure-2", "table-3"),
    *("figure-3", "table-4", "figure-4", "figure-5"),
)

# Config keys whose values are places on somebody's machine: a page that is passed on does not name them.
_FOLDERS = {"workspace", "root", "path"}

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
        Text; rows whose column ``Source`` is not ``ours`` are set apart.
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
    reconciliations: Mapping[str, pd.DataFrame],
    config: Mapping,
    labels: Labels,
    provenance: Mapping[str, object],
) -> str:
    """The page.

    Parameters
    ----------
    shown : mapping of str to Table or Picture
        By the names in `ORDER`; others come after these.
    reconciliations : mapping of str to pandas.DataFrame
        Table ``reconciliation`` of each data set, by its name in print.
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
    sections += [_reconciliation(label, table) for label, table in reconciliations.items()]
    contents = " ".join(f"<a href='#{name}'>{name.replace('-', ' ').capitalize()}</a>" for name in names)
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


def left_out(stored: pd.DataFrame, lesions: pd.DataFrame) -> pd.DataFrame:
    """What the images stage made of a data set, as further rows of its reconciliation.

    Parameters
    ----------
    stored : pandas.DataFrame
        Table ``stored`` of all shards.
    lesions : pandas.DataFrame
        Table ``lesions`` of the index.

    Returns
    -------
    pandas.DataFrame
        A 'reconciliation' table; the paper has no such counts.
    """
    lost = stored[~stored["stored"]]
    outside = stored["stored"] & stored["detail"].str.split(";").map(lambda flags: LESION_OUTSIDE in flags)
    found = {
        "images stored": len(stored) - len(lost),
        "images not stored": len(lost),
        **{
            f"images not stored: {reason}": count
            for reason, count in lost["reason"].value_counts().sort_index().items()
        },
        "masses in images not stored": int(lesions["image_id"].isin(lost["image_id"]).sum()),
        "images stored with a mass outside the breast found": int(outside.sum()),
    }
    rows = pd.DataFrame({"quantity": list(found), "found": list(found.values())})
    return rows.assign(paper=nan, difference=nan)[["quantity", "paper", "found", "difference"]]


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
    commit = provenance["commit"] or "unknown"
    return {
        "Experiment 1": _experiment(experiments["classification"], labels),
        "Experiments 2 and 3": _experiment(experiments["detection"], labels),
        "Patches": "{window}×{window} pixels, stride {stride}".format(**config["patches"]),
        "Evaluation": "IoU > {iou:g}, boxes of mode {mode}".format(**config["detection"]["evaluation"]),
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
    return "" if row.get("Source", "ours") == "ours" else " class='published'"


def _reconciliation(label: str, table: pd.DataFrame) -> str:
    """What was found in a release beside what the paper counts."""
    rows = pd.DataFrame(
        {
            "Quantity": table["quantity"],
            "Found": table["found"].map(_count),
            "Paper": table["paper"].map(_count),
            "Difference": table["difference"].map(_count),
        }
    )
    note = "Counts of this release, and what the paper states for the real archive."
    return f"<section>\n{Table(f'What was found: {label}', rows, note).html()}\n</section>"


def _count(number: float) -> str:
    return "–" if pd.isna(number) else f"{number:g}"
