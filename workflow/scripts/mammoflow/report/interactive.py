"""Makes the page of interactive figures: FROC curves and training curves, with their values at the pointer.

The page has Vega in itself and needs no network.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import altair as alt
import numpy as np
import pandas as pd

from mammoflow.base import storage
from mammoflow.evaluation.definitions import Evaluation
from mammoflow.report import naming
from mammoflow.report.figures import style
from mammoflow.report.figures.froc_axes import RIGHT, curves_of_folds
from mammoflow.report.naming import Labels

_WIDTH, _HEIGHT = 420, 320

# The choices stand above the figures.
_STYLE = (
    "#vis { display: flex; flex-direction: column-reverse; align-items: flex-start; font: 14px sans-serif }"
)

# Columns of a history that may be shown, and what they are called.
_MEASURES = {
    "validation_loss": "validation loss",
    "validation_accuracy": "validation accuracy",
    "validation_az": "validation Az",
    "loss": "training loss",
    "accuracy": "training accuracy",
    "az": "training Az",
}


def froc(
    points: Mapping[str, pd.DataFrame],
    curves: Mapping[str, pd.DataFrame],
    evaluation: Evaluation,
    labels: Labels,
) -> alt.TopLevelMixin:
    """FROC curves: the mean over folds with its interval, and each fold if asked for.

    Parameters
    ----------
    points, curves : mapping of str to pandas.DataFrame
        Tables ``froc-points`` and ``froc-curve`` of each chain.
    evaluation : Evaluation
        The definition to show, in each mode.
    labels : mapping
        As in `naming`.

    Returns
    -------
    altair chart
        A panel for each kind of boxes, with choices of a model and of whether single folds are shown.
    """
    means, folds = [], []
    for chain in curves:
        for definition in evaluation.in_modes(chain):
            named = {"model": naming.experiment(chain, labels), "boxes": naming.BOXES[definition.mode]}
            mean = definition.rows(curves[chain]).rename(columns={"folds": "of_folds"})
            means.append(mean[["fpi", "tpr_mean", "tpr_low", "tpr_high", "of_folds"]].assign(**named))
            folds.append(curves_of_folds(definition.rows(points[chain])).assign(**named))
    mean, fold = (pd.concat(tables, ignore_index=True) for tables in (means, folds))
    mean, fold = (table[table["fpi"] <= RIGHT] for table in (mean, fold))

    names = [naming.experiment(chain, labels) for chain in curves]
    model, colour = _choice("model", names), _colour("model", names)
    shown = alt.param(name="folds", value=False, bind=alt.binding_checkbox(name="single folds "))
    panels = [
        _panel(mean[mean["boxes"] == boxes], fold[fold["boxes"] == boxes], colour).properties(title=boxes)
        for boxes in dict.fromkeys(mean["boxes"])
    ]
    return alt.hconcat(*panels, title="FROC").add_params(model, shown)


def _panel(mean: pd.DataFrame, fold: pd.DataFrame, colour: alt.Color) -> alt.LayerChart:
    """Bands, folds, means and values at the pointer, for one kind of boxes."""
    x = alt.X("fpi:Q", title="False positives per image")
    y = alt.Y("tpr_mean:Q", title="True positive rate", scale=alt.Scale(domain=[0, 1]))
    base = alt.Chart(_data(mean), width=_WIDTH, height=_HEIGHT).encode(x=x, color=colour)
    band = base.mark_area(interpolate="step-after").encode(
        y=alt.Y("tpr_low:Q", title="True positive rate"), y2="tpr_high:Q", opacity=_opacity("model", 0.12)
    )
    line = base.mark_line(interpolate="step-after").encode(y=y, opacity=_opacity("model", 1))
    chosen = "folds && (model == 'all' || datum.model == model)"
    opacity = alt.condition(chosen, alt.value(0.8), alt.value(0))
    single = (
        alt.Chart(_data(fold))
        .mark_line(interpolate="step-after", strokeWidth=0.8)
        .encode(x=x, y="tpr:Q", color=colour, detail="fold:N", opacity=opacity)
    )
    values = [
        alt.Tooltip("model:N", title="model"),
        alt.Tooltip("fpi:Q", title="FPI", format=".2f"),
        alt.Tooltip("tpr_mean:Q", title="TPR", format=".3f"),
        alt.Tooltip("tpr_low:Q", title="95 % interval, low", format=".3f"),
        alt.Tooltip("tpr_high:Q", title="95 % interval, high", format=".3f"),
        alt.Tooltip("of_folds:Q", title="folds that reach it"),
    ]
    # They are not seen: the pointer finds them.
    dots = base.mark_point(filled=True, size=120, opacity=0).encode(y=y, tooltip=values)
    return alt.layer(band, single, line, dots)


def trainings(
    runs: Sequence[Mapping[str, str | int]], histories: Sequence[pd.DataFrame], labels: Labels
) -> alt.TopLevelMixin:
    """Losses, accuracies and Az of every training by epoch.

    Parameters
    ----------
    runs : sequence of mapping
        Keys dataset, backbone, init, fold and run.
    histories : sequence of pandas.DataFrame
        Table ``history`` of each run.
    labels : mapping
        As in `naming`.

    Returns
    -------
    altair chart
        A panel for each network, with choices of a measure and of a chain.
    """
    tables = [
        history[["epoch", *_MEASURES]].assign(
            network=labels["backbones"][run["backbone"]],
            chain=naming.cascade(run["dataset"], run["init"], labels),
            fold=run["fold"],
            run=run["run"],
        )
        for run, history in zip(runs, histories, strict=True)
    ]
    table = pd.concat(tables, ignore_index=True)
    measure = alt.param(
        name="measure",
        value="validation_loss",
        bind=alt.binding_select(options=list(_MEASURES), labels=list(_MEASURES.values()), name="measure "),
    )
    chains = list(dict.fromkeys(table["chain"]))
    chain, colour = _choice("chain", chains), _colour("chain", chains)

    panels = [
        alt.Chart(_data(rows), width=_WIDTH, height=_HEIGHT, title=network)
        .mark_line(point=True)
        .transform_calculate(value="datum[measure]")
        .encode(
            x=alt.X("epoch:Q", title="Epoch", axis=alt.Axis(labelExpr="datum.value % 1 ? '' : datum.value")),
            y=alt.Y("value:Q", title="", scale=alt.Scale(zero=False)),
            color=colour,
            detail=["fold:N", "run:N"],
            opacity=_opacity("chain", 0.8),
            tooltip=["chain:N", "fold:N", "run:N", "epoch:Q", alt.Tooltip("value:Q", format=".4f")],
        )
        for network, rows in table.groupby("network", sort=False)
    ]
    return alt.concat(*panels, columns=2, title="Trainings").add_params(chain, measure)


def write(charts: Sequence[alt.TopLevelMixin], path: str | Path) -> None:
    """Write charts below each other to a page that needs no network."""
    page = alt.vconcat(*charts, spacing=50).resolve_scale(color="independent")
    page = page.configure_title(anchor="start").configure_legend(
        labelLimit=0, columns=1, orient="bottom", symbolOpacity=1
    )
    text = page.to_html(inline=True, embed_options={"actions": False})
    text = text.replace("<html>", '<html lang="en">', 1).replace(
        "<head>", f"<head>\n<title>Interactive figures</title>\n<style>{_STYLE}</style>", 1
    )
    with storage.whole(path) as temporary:
        temporary.write_text(_shielded(text))


def _shielded(page: str) -> str:
    """The page with labels that cannot end its script; Altair writes them as they are."""
    library, assignment, rest = page.partition("const spec = ")
    content, end, close = rest.rpartition("</script>")
    return library + assignment + content.replace("</", "<\\/") + end + close


def _choice(name: str, names: Sequence[str]) -> alt.Parameter:
    """A menu with all names, and each of them."""
    return alt.param(
        name=name, value="all", bind=alt.binding_select(options=["all", *names], name=f"{name} ")
    )


def _opacity(name: str, value: float) -> dict:
    """Full for what a menu has chosen, little for the rest."""
    return alt.condition(
        f"{name} == 'all' || datum.{name} == {name}", alt.value(value), alt.value(value / 10)
    )


def _colour(field: str, names: Sequence[str]) -> alt.Color:
    colours = [style.SERIES[place % len(style.SERIES)] for place in range(len(names))]
    return alt.Color(f"{field}:N", title="", scale=alt.Scale(domain=list(names), range=colours))


def _data(table: pd.DataFrame) -> alt.Data:
    """Rows as JSON values, which has no infinite numbers."""
    finite = table.astype(object).where(~table.isin([np.inf, -np.inf]) & table.notna(), None)
    return alt.Data(values=finite.to_dict("records"))
