"""Experiment 4 on the tiny study: its models are added to those that are there."""

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml
from project import REPOSITORY, TINY, Project

from mammoflow.base.contracts.froc import POOLED
from mammoflow.base.contracts.splits import SPLITS
from mammoflow.bundles import model_file
from mammoflow.evaluation import froc
from mammoflow.evaluation.definitions import Evaluation
from mammoflow.networks import trained
from mammoflow.patches import bank
from mammoflow.report.tables import presentation

pytestmark = pytest.mark.workflow

SETTINGS = {
    "experiments": {
        "transfer": {
            "datasets": ["film", "digital"],
            "backbones": ["compact"],
            "initialization": "natural",
            "together": True,
        }
    }
}
BOTH = "film&digital"


@pytest.fixture(scope="module")
def study(finished, tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("transfer"))
    shutil.copytree(finished.folder / "tiny", project.folder / "tiny", dirs_exist_ok=True)
    planned = project.planned("--workflow-profile", "profiles/laptop", settings=SETTINGS)
    # What is there stays: new are one training of film after digital and three of both.
    assert planned["train"] == 1 + 3
    assert planned["bundle"] == 1
    assert {"bank", "images", "pretrain"}.isdisjoint(planned)
    project.run("--workflow-profile", "profiles/laptop", settings=SETTINGS, timeout=1800)
    return project.folder / "tiny/results"


def test_every_model_is_tested_on_every_data_set(study):
    table = presentation.read(study / "tables/table-transfer.csv")
    candidates = table[table["mode"] == "candidate"]
    assert candidates[["trained_on", "tested_on", "kind"]].to_numpy().tolist() == [
        ["tiny film", "tiny film", "own data"],
        ["tiny film", "tiny digital", "as it is"],
        ["tiny film", "tiny digital", "trained further"],
        ["tiny digital", "tiny film", "as it is"],
        ["tiny digital", "tiny film", "trained further"],
        ["tiny digital", "tiny digital", "own data"],
        ["tiny film & tiny digital", "tiny film", "as it is"],
        ["tiny film & tiny digital", "tiny digital", "as it is"],
    ]
    assert table[["tpr_mean_at_1", "az_mean"]].notna().all(axis=None)


def test_a_model_elsewhere_has_its_own_score_and_networks(study):
    """The score file of every tested fold is that of the fold whose network maps."""
    name = "natural+digital@transferred"
    runs = [study / f"models/digital/compact/natural/fold-{fold}/run-0/model.json" for fold in range(3)]
    best = trained.best_run(runs)
    own = study / f"candidates/digital/compact/natural/fold-{best}.json"
    assert (study / f"candidates/film/compact/{name}/fold-0.json").read_text() == own.read_text()


def test_a_network_of_both_is_trained_on_the_patches_of_both_and_on_no_test_patient(study):
    splits = {name: SPLITS.read(study / f"splits/{name}.csv") for name in ("film", "digital")}
    for fold in range(3):
        paths = [study / f"patches/{name}/stored.h5" for name in splits]
        with bank.open_banks(paths, [0, fold]) as joined:
            for (name, table), part in zip(splits.items(), joined.train.parts, strict=True):
                rows = table[table["fold"] == (0 if name == "film" else fold)].set_index("image_id")
                assert set(rows.loc[sorted(set(part.image_id)), "role"]) == {"train"}
        assert (study / f"models/{BOTH}/compact/natural/fold-{fold}/run-0/model.weights.h5").is_file()


def test_the_threshold_of_a_model_file_gives_what_the_table_says(study):
    table = presentation.read(study / "tables/table-transfer.csv")
    manifest = model_file.open_model(study / "bundles/film/compact/natural.mammoflow").manifest
    pooled = POOLED.read(study / "froc/digital/compact/natural+film@transferred/pooled.csv")
    for mode, points in manifest["operating_points"].items():
        row = table[
            (table["kind"] == "as it is") & (table["trained_on"] == "tiny film") & (table["mode"] == mode)
        ].iloc[0]
        for point in points:
            if point["fpi"] not in (0.5, 1, 2):
                continue
            at = f"{point['fpi']:g}"
            assert row[f"threshold_at_{at}"] == pytest.approx(point["threshold"])
            definition = replace(evaluation().definition, mode=mode)
            found = froc.row_at(definition.rows(pooled), point["threshold"], mode)
            assert row[f"fpi_carried_at_{at}"] == pytest.approx(found["fpi"])


def evaluation():
    settings = yaml.safe_load((REPOSITORY / "config/config.yaml").read_text())["detection"]["evaluation"]
    return Evaluation(**settings | yaml.safe_load(TINY.read_text())["detection"]["evaluation"])


def test_the_page_shows_it(study):
    page = (study / "report.html").read_text()
    assert "Does a model work elsewhere?" in page
    assert (study / "figures/figure-transfer.png").stat().st_size > 10_000
    assert np.isfinite(pd.read_csv(study / "tables/table-transfer.csv")["az_mean"]).all()
