"""The table and the heat maps of experiment 4."""

import numpy as np
import pandas as pd
import pytest
from froc_cases import settings_with, two_folds

from mammoflow.evaluation import froc, froc_report
from mammoflow.report.figures import transfer_maps
from mammoflow.report.tables import presentation, trainings, transfer

LABELS = {
    "datasets": {"film": "film phantoms", "digital": "digital | phantoms"},
    "weights": {"natural": "natural images"},
    "backbones": {"compact": "compact"},
    "external": {},
}
EVALUATION = settings_with()
PATIENTS = trainings.Patients(pd.Series({f"i{number}": f"p{number // 2}" for number in range(8)}), 20, 1)


@pytest.fixture(scope="module")
def report():
    folds = two_folds()
    return froc_report.evaluate(folds, EVALUATION, seed=3)


def result(report, trained_on, tested_on, init, thresholds=None, right=3):
    runs = [
        {"dataset": tested_on, "backbone": "compact", "init": init, "fold": fold, "run": run}
        for fold in range(2)
        for run in range(2)
    ]
    # The run of the lower validation loss is the better one.
    tables = [
        pd.DataFrame(
            {
                "image_id": [f"i{number}" for number in range(8)],
                "label": [0, 1] * 4,
                "probability": np.where(np.arange(8) < right if each["run"] else True, [0.1, 0.9] * 4, 0.5),
            }
        )
        for each in runs
    ]
    return transfer.Result(
        trained_on=trained_on,
        tested_on=tested_on,
        fine_tuned="@" not in init and "+" in init,
        chain=f"{tested_on}/compact/{init}",
        operating_points=report.operating_points,
        pooled=report.pooled,
        runs=runs,
        classifications=tables,
        metadata=[{"validation_loss": 1.0 + each["run"]} for each in runs],
        patients=PATIENTS,
        thresholds=thresholds,
    )


@pytest.fixture(scope="module")
def table(report):
    own = {
        "paper": [{"fpi": 1.0, "threshold": 0.25, "fpi_test": 1.5, "tpr_test": 0.6}],
        "candidate": [
            {"fpi": 1.0, "threshold": 0.3, "fpi_test": None, "tpr_test": None},
            {"fpi": 0.5, "threshold": 0.95, "fpi_test": 0.75, "tpr_test": 0.5},
        ],
    }
    return transfer.table(
        [
            result(report, "film", "film", "natural", own),
            result(report, "film", "digital", "natural+film@transferred", own),
            result(report, "film", "digital", "natural+film"),
            result(report, "film&digital", "digital", "natural+film&digital@transferred"),
        ],
        EVALUATION,
        LABELS,
    )


def test_each_model_is_named_by_its_training(table):
    named = table.loc[table["mode"] == "candidate", ["cascade", "tested_on", "kind"]]
    assert named.to_numpy().tolist() == [
        ["natural images → film phantoms", "film phantoms", "own data"],
        ["natural images → film phantoms", "digital | phantoms", "as it is"],
        ["natural images → film phantoms → digital | phantoms", "digital | phantoms", "trained further"],
        ["natural images → film phantoms & digital | phantoms", "digital | phantoms", "as it is"],
    ]


def test_the_networks_of_the_lowest_validation_loss_count(table):
    assert (table["az_mean"] == 1).all()


def test_a_threshold_from_elsewhere_gives_what_it_gives(table, report):
    """By hand: at 0.3 the candidates above it, at 0.25 the components of the map there, of both folds."""
    elsewhere = table[table["kind"] == "as it is"].drop_duplicates("mode").set_index("mode")
    for definition in EVALUATION.in_modes("digital/compact/natural"):
        points = definition.rows(report.points)
        threshold = {"paper": 0.25, "candidate": 0.3}[definition.mode]
        rows = [froc.row_at(rows, threshold, definition.mode) for _, rows in points.groupby("fold")]
        false, images = (sum(row[name] for row in rows) for name in ("false_positives", "images"))
        assert elsewhere.loc[definition.mode, "fpi_carried_at_1"] == pytest.approx(false / images)
        hits, targets = (sum(row[name] for row in rows) for name in ("hits", "targets"))
        assert elsewhere.loc[definition.mode, "tpr_carried_at_1"] == pytest.approx(hits / targets)
    # No candidate has 0.95, and the model has no operating point at 2.
    candidate = elsewhere.loc["candidate"]
    assert (candidate["fpi_carried_at_0.5"], candidate["tpr_carried_at_0.5"]) == (0, 0)
    assert candidate[["threshold_at_2", "fpi_carried_at_2", "tpr_carried_at_2"]].isna().all()


def test_on_its_own_data_the_fold_of_the_model_file_counts(table):
    own = table[table["kind"] == "own data"].set_index("mode")
    assert own.loc["paper", ["fpi_carried_at_1", "tpr_carried_at_1"]].tolist() == [1.5, 0.6]
    assert own.loc["candidate", ["fpi_carried_at_0.5", "tpr_carried_at_0.5"]].tolist() == [0.75, 0.5]
    assert own.loc["candidate", ["fpi_carried_at_1", "tpr_carried_at_1"]].isna().all()


def test_only_a_model_that_brings_thresholds_has_what_they_give(table):
    without = table[table["cascade"].str.contains("digital")]
    assert without[["threshold_at_1", "fpi_carried_at_1"]].isna().all(axis=None)


def test_it_is_read_again_as_it_was_and_shown(table, tmp_path):
    paths = tmp_path / "table.csv", tmp_path / "table.md"
    presentation.write(table, transfer.PRESENTATION, *paths)
    pd.testing.assert_frame_equal(presentation.read(paths[0]), table, check_dtype=False)
    said = paths[1].read_text()
    assert "nan" not in said
    assert len(transfer.PRESENTATION.columns) <= presentation.MOST_COLUMNS


def test_rows_at_thresholds_between_those_of_a_curve():
    points = pd.DataFrame({"threshold": [np.inf, 0.8, 0.5], "tpr": [0, 0.4, 0.7], "fpi": [0, 1, 2]})
    at = {
        (threshold, mode): froc.row_at(points, threshold, mode)["tpr"]
        for threshold in (0.9, 0.8, 0.6, 0.5, 0.1)
        for mode in ("paper", "candidate")
    }
    assert [at[threshold, "candidate"] for threshold in (0.9, 0.8, 0.6, 0.5, 0.1)] == [0, 0.4, 0.4, 0.7, 0.7]
    assert [at[threshold, "paper"] for threshold in (0.9, 0.8, 0.6, 0.5, 0.1)] == [0, 0.4, 0, 0.7, 0]


def test_heat_maps_show_the_numbers_of_the_candidates(table):
    figure = transfer_maps.draw(table)
    tpr, az, carried = figure.axes
    candidates = table[table["mode"] == "candidate"]
    below = [label.get_text().replace("\n", " ") for label in tpr.get_xticklabels()]
    assert below == ["film phantoms", "digital | phantoms"]
    assert [label.get_text() for label in tpr.get_yticklabels()] == candidates["cascade"].unique().tolist()
    assert sorted(text.get_text().split("\n")[0] for text in tpr.texts) == sorted(
        f"{value:.2f}" for value in candidates["tpr_mean_at_1"]
    )
    assert {text.get_text().split("\n")[0] for text in az.texts} == {"1.00"}
    # Own data had no test images in this model file, and only one other model brings thresholds.
    assert len(carried.texts) == 1
