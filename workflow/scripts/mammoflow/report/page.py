"""Builds one HTML page with all tables and figures, which needs neither internet access nor scripts.

The template is `page.html.jinja`.
"""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import jinja2
import pandas as pd

from mammoflow.evaluation.definitions import Evaluation
from mammoflow.report.naming import Labels, initialization
from mammoflow.report.tables.presentation import NONE

# The order of the paper, and our own tables after the one that they add to; other things come after.
ORDER = (
    *("table-1", "figure-1", "table-2", "figure-2", "table-3", "figure-scores"),
    *(
        "figure-3",
        "table-4",
        "table-ceilings",
        "table-comparison",
        "table-protocol",
        "figure-4",
        "figure-5",
        "figure-errors",
    ),
)

# Config keys whose values are places on somebody's machine: a page that is passed on does not name them.
_FOLDERS = {"workspace", "root", "path", "splits"}

_TEMPLATE = Path(__file__).with_suffix(".html.jinja")


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

    @property
    def source(self) -> str:
        """The image itself, as an address."""
        return f"data:image/png;base64,{base64.b64encode(self.png).decode()}"


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
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, keep_trailing_newline=True
    )
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        title=_title(config, labels),
        summary=_summary(config, labels, provenance),
        shown={name: shown[name] for name in [*ORDER, *(name for name in shown if name not in ORDER)]},
        reconciliation=list(_by_data_set(reconciliation)),
        config=dict(flattened(config)),
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
        "Patches": "{window}×{window} pixels, stride {stride}, labelled by {label}".format(
            **config["patches"]
        ),
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


def _by_data_set(table: Table) -> Iterator[tuple[Table, pd.DataFrame]]:
    """Counts of each data set, and those of its folds."""
    for label, rows in table.rows.groupby("Data", sort=False):
        whole, folds = rows[rows["Fold"] == NONE], rows[rows["Fold"] != NONE]
        yield (
            Table(f"{table.title} {label}", whole.drop(columns=["Data", "Fold"]), table.note),
            folds.drop(columns="Data"),
        )
