"""The page of interactive figures has the numbers of the tables, and needs nothing else."""

import json
import time

import headless
import numpy as np
import pandas as pd
import pytest
from froc_cases import settings_with

from mammoflow.report import interactive, naming
from mammoflow.report.figures.froc_axes import curves_of_folds

LABELS = {
    "datasets": {"film": "film", "digital": "digital </script>"},
    "weights": {"random": "random"},
    "backbones": {"compact": "compact", "vgg16": "VGG16"},
    "external": {},
}
CHAINS = ["digital/compact/random", "digital/compact/random+film"]
EVALUATION = settings_with()
RUNS = [
    {"dataset": "film", "backbone": backbone, "init": "random", "fold": 0, "run": run}
    for backbone, run in (("vgg16", 0), ("compact", 0), ("compact", 1))
]


def points(chain):
    """Two folds in both modes; the second ends at 3 false positives per image."""
    rows = [
        {
            **vars(definition),
            "fold": fold,
            "threshold": 1 - fpi / 10,
            "fpi": fpi,
            "tpr": min(1, fpi / (3 + fold)),
        }
        for definition in EVALUATION.in_modes(chain)
        for fold, last in ((0, 8), (1, 3))
        for fpi in np.arange(0, last + 0.5, 0.5)
    ]
    return pd.DataFrame(rows)


def curve(chain):
    rows = [
        {**vars(definition), "fpi": fpi, "tpr_mean": fpi / 10, "tpr_low": 0, "tpr_high": 0.9, "folds": 2}
        for definition in EVALUATION.in_modes(chain)
        for fpi in (0, 1, 2, 8, 9)
    ]
    return pd.DataFrame(rows)


def history(run):
    epochs = np.arange(1, 4)
    names = ("loss", "accuracy", "az", "validation_loss", "validation_accuracy", "validation_az")
    return pd.DataFrame({"epoch": epochs, **dict.fromkeys(names, epochs / 10 + run)})


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "interactive.html"
    histories = [history(run["run"]) for run in RUNS]
    histories[0].loc[0, "validation_loss"] = np.inf
    charts = [
        interactive.froc(
            {chain: points(chain) for chain in CHAINS},
            {chain: curve(chain) for chain in CHAINS},
            EVALUATION,
            LABELS,
        ),
        interactive.trainings(RUNS, histories, LABELS),
    ]
    interactive.write(charts, path)
    return path


def inner(chart):
    """All single charts of a chart."""
    parts = [part for key in ("vconcat", "hconcat", "concat", "layer") for part in chart.get(key, [])]
    return [each for part in parts for each in inner(part)] or [chart]


def data(chart, field):
    """Rows of all single charts that have a field."""
    rows = [row for each in inner(chart) for row in each["data"]["values"] if field in row]
    return pd.DataFrame(rows).drop_duplicates()


def test_the_froc_has_the_numbers_of_the_tables():
    tables = {chain: points(chain) for chain in CHAINS}
    chart = interactive.froc(tables, {chain: curve(chain) for chain in CHAINS}, EVALUATION, LABELS).to_dict()
    mean, folds = data(chart, "tpr_mean"), data(chart, "fold")
    assert sorted(set(mean["fpi"])) == [0, 1, 2, 8]
    for chain in CHAINS:
        for definition in EVALUATION.in_modes(chain):
            ours = folds[
                (folds["model"] == naming.experiment(chain, LABELS))
                & (folds["boxes"] == naming.BOXES[definition.mode])
            ]
            theirs = curves_of_folds(definition.rows(tables[chain]))
            assert len(ours) == len(theirs) > 0
            np.testing.assert_allclose(ours[["fpi", "tpr"]].astype(float), theirs[["fpi", "tpr"]])
    assert folds.loc[folds["fold"] == 1, "fpi"].max() == 3


def test_every_epoch_of_every_training_is_there():
    chart = interactive.trainings(RUNS, [history(run["run"]) for run in RUNS], LABELS).to_dict()
    assert [each["title"] for each in chart["concat"]] == ["VGG16", "compact"]
    assert len(data(chart, "epoch")) == 3 * len(RUNS)


def test_infinite_losses_are_none():
    histories = [history(run["run"]) for run in RUNS]
    histories[0].loc[0, "validation_loss"] = np.inf
    chart = interactive.trainings(RUNS, histories, LABELS).to_dict()
    assert data(chart, "epoch")["validation_loss"].isna().sum() == 1
    assert "Infinity" not in json.dumps(chart)


def test_the_page_works_in_a_browser_and_asks_for_nothing(page):
    driver = headless.start()
    try:
        headless.complaints(driver), headless.requested(driver)
        driver.get(page.as_uri())
        headless.wait(driver, "document.querySelectorAll('#vis canvas, #vis svg').length")
        assert len(driver.execute_script("return [...document.querySelectorAll('select')]")) == 3
        driver.execute_script("document.querySelector('input[type=checkbox]').click()")
        time.sleep(0.5)
        assert headless.complaints(driver) == []
        assert set(headless.requested(driver)) == {page.as_uri()}
        assert driver.execute_script("return document.title") == "Interactive figures"
    finally:
        driver.quit()
