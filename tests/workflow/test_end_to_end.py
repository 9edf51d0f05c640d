"""The complete workflow at the smallest size."""

import json
import re

import headless
import numpy as np
import pandas as pd
import pytest

from mammoflow.base import storage
from mammoflow.base.contracts.detections import CANDIDATES, DETECTIONS
from mammoflow.base.contracts.froc import OPERATING_POINTS, POINTS, POOLED
from mammoflow.base.contracts.index import IMAGES, LESIONS
from mammoflow.base.contracts.review import CASES
from mammoflow.base.contracts.splits import SPLITS
from mammoflow.base.contracts.stored import STORED
from mammoflow.detection import mpm
from mammoflow.evaluation.definitions import MODES, Definition
from mammoflow.patches import bank
from mammoflow.study import provenance

pytestmark = pytest.mark.workflow


@pytest.fixture
def results(finished):
    return finished.folder / "tiny" / "results"


def test_everything_promised_is_there(results):
    for table in (*range(1, 5), "protocol", "comparison", "ablations"):
        assert len(pd.read_csv(results / f"tables/table-{table}.csv")) > 0
        assert (results / f"tables/table-{table}.md").read_text().count("|") > 10
    figures = [f"figure-{n}" for n in (*range(1, 6), "scores", "errors")]
    figures += ["augmented-patches-film", "augmented-patches-digital"]
    for figure in figures:
        assert (results / f"figures/{figure}.png").read_bytes().startswith(b"\x89PNG")
        assert "<svg" in (results / f"figures/{figure}.svg").read_text()
    for dataset in ("film", "digital"):
        assert (results / f"figures/breast-regions-{dataset}.png").read_bytes().startswith(b"\x89PNG")
    page = re.sub(r"http://www\.w3\.org/\S+", "", (results / "report.html").read_text())
    assert not re.search("https?:", page)


def test_every_image_is_accounted_for(results):
    for dataset in ("film", "digital"):
        images = IMAGES.read(results / f"index/{dataset}/images.csv")
        stored = pd.concat(STORED.read(path) for path in sorted(results.glob(f"images/{dataset}/*.csv")))
        assert sorted(stored["image_id"]) == sorted(images["image_id"])
        splits = SPLITS.read(results / f"splits/{dataset}.csv")
        used = set(stored.loc[stored["stored"], "image_id"])
        assert all(set(rows["image_id"]) == used for _, rows in splits.groupby("fold"))


def test_no_patient_is_on_two_sides(results):
    for dataset in ("film", "digital"):
        splits = SPLITS.read(results / f"splits/{dataset}.csv")
        assert splits.groupby(["fold", "patient_id"])["role"].nunique().max() == 1
    digital = SPLITS.read(results / "splits/digital.csv")
    tested = digital[digital["role"] == "test"]
    assert tested["image_id"].is_unique
    assert set(tested["image_id"]) == set(digital["image_id"])


def test_negatives_of_the_digital_bank_come_from_normal_images_only(results):
    lesions = LESIONS.read(results / "index/digital/lesions.csv")
    for fold in range(3):
        with bank.open_bank(results / "patches/digital/stored.h5", fold) as opened:
            for part in (getattr(opened, name) for name in bank.PARTS):
                with_mass = np.isin(part.image_id, lesions["image_id"].to_numpy())
                np.testing.assert_array_equal(with_mass, part.labels == 1)


def test_a_chain_starts_from_the_best_run_on_validation_loss(results):
    runs = {
        path.parent.name: json.loads(path.read_text())
        for path in results.glob("models/film/compact/natural/fold-0/*/model.json")
    }
    best = min(runs.values(), key=lambda run: run["validation_loss"])
    for path in results.glob("models/digital/compact/natural+film/*/*/model.json"):
        assert best["weights_sha256"] in path.read_text()


def test_a_model_says_what_it_was_made_of(results):
    folder = results / "models/digital/compact/natural+film/fold-1/run-0"
    record = json.loads((folder / "model.json").read_text())
    assert record["weights_sha256"] == storage.sha256(folder / "model.weights.h5")
    assert record["precision"] in ("float32", "mixed_bfloat16", "mixed_float16")
    assert record["validation_loss"] == pd.read_csv(folder / "history.csv")["validation_loss"].min()
    made = record["provenance"]
    assert {"commit", "dirty", "locks", "packages", "decoders", "onednn", "processor", "gpus"} <= set(made)
    assert made["threads"] == 1
    assert made["settings"]["batch"] == 16
    assert made["config"]["patches"]["window"] == record["window"] == 48
    lesions = LESIONS.read(results / "index/digital/lesions.csv")
    stored = pd.concat(STORED.read(path) for path in results.glob("images/digital/*.csv"))
    assert made["datasets"] == [
        {
            "images": provenance.fingerprint(stored, lesions),
            "splits": storage.sha256(results / "splits/digital.csv"),
        }
    ]
    with bank.open_bank(results / "patches/digital/stored.h5", fold=1) as opened:
        assert made["bank"] == {part: getattr(opened, part).digest for part in bank.PARTS}
    assert 0 < made["seconds"] < made["job_seconds"]


def test_nothing_is_left_of_trainings_that_ended_well(finished, results):
    assert [path for path in results.glob("resume/**/*") if path.is_file()] == []
    events = finished.folder / "tiny/logs/tensorboard/film/compact/random/fold-0/run-1"
    assert len(list(events.glob("events.out.tfevents.*"))) == 1


def test_all_windows_of_every_test_image_have_a_place_in_a_map(results):
    splits = SPLITS.read(results / "splits/digital.csv")
    for fold in range(3):
        path = results / f"mpm/digital/compact/natural/fold-{fold}/shard-0.h5"
        expected = splits.loc[(splits["fold"] == fold) & (splits["role"] == "test"), "image_id"]
        maps, made = mpm.open_maps(path), mpm.read_made(path)
        assert list(maps) == sorted(expected)
        assert made.precision in ("float32", "mixed_bfloat16")
        assert (made.runs, made.maps) == ([0], "windows")
        grids = list(maps.values())
        assert all(np.isfinite(grid.probabilities).all() for grid in grids)
        assert max(grid.probabilities.max() for grid in grids) > 0


def test_boxes_lie_in_their_original_images(results):
    images = IMAGES.read(results / "index/digital/images.csv").set_index("image_id")
    for path in results.glob("detections/digital/compact/natural/*/*.parquet"):
        boxes = DETECTIONS.read(path).join(images, on="image_id")
        assert (boxes["y0"] >= 0).all()
        assert (boxes["x0"] >= 0).all()
        assert (boxes["y1"] <= boxes["rows"]).all()
        assert (boxes["x1"] <= boxes["columns"]).all()
        assert (boxes["score"] > boxes["threshold"]).all()


def test_boxes_of_others_go_through_the_same_evaluation(finished, results):
    ours = results / "froc/digital/compact/natural"
    boxes = pd.concat(
        CANDIDATES.read(path) for path in sorted(results.glob("candidates/digital/compact/natural/*.csv"))
    )
    boxes.to_csv(finished.folder / "tiny" / "theirs.csv", index=False)
    theirs = "results/froc/digital/external/theirs/operating-points.csv"
    external = {"theirs": {"label": "our own candidates", "path": "theirs.csv"}}
    finished.run(theirs, settings={"detection": {"external": external}})
    theirs, ours = (
        OPERATING_POINTS.read(folder) for folder in (results.parent / theirs, ours / "operating-points.csv")
    )
    candidate = Definition("candidate")
    pd.testing.assert_frame_equal(*(candidate.rows(table).reset_index(drop=True) for table in (theirs, ours)))


def test_the_review_pages_have_every_test_image_and_no_name_of_one(results):
    cases, splits = CASES.read(results / "cases/digital.csv"), SPLITS.read(results / "splits/digital.csv")
    assert sorted(cases["image_id"]) == sorted(splits.loc[splits["role"] == "test", "image_id"])
    facts = "".join(path.read_text() for path in results.glob("review/digital/shard-*/cases.js"))
    assert all(f'"name":"{name}"' in facts for name in cases["case"])
    files = [path for path in results.glob("review/**/*") if path.is_file()]
    assert len(files) == 2 * 3 + 2 * 3
    content = "".join(path.read_bytes().decode("latin-1") for path in files)
    assert not [name for name in {*splits["image_id"], *splits["patient_id"]} if f'"{name}"' in content]


@pytest.mark.parametrize("init", ["natural", "natural+film"])
def test_the_review_pages_count_what_the_evaluation_counts(results, init):
    chain = f"digital/compact/{init}"
    points, pooled = (
        table.read(results / f"froc/{chain}/{name}.csv")
        for table, name in ((POINTS, "points"), (POOLED, "pooled"))
    )
    driver = headless.start()
    try:
        headless.opened(driver, results / f"review/{chain}/index.html")
        for mode in MODES:
            definition = Definition(mode)
            compared = {"all": definition.rows(pooled)}
            compared |= dict(iter(definition.rows(points).groupby("fold")))
            assert len(compared) == 4
            for fold, rows in compared.items():
                expected, found = headless.expected(rows), headless.counts(driver, mode, fold)
                assert {threshold: found[threshold] for threshold in expected} == expected
        headless.settled(driver, "return change({image: cases[0].name, layout: 'views'})")
        assert headless.complaints(driver) == []
    finally:
        driver.quit()


def test_an_ablation_makes_what_its_settings_touch_and_nothing_else(results):
    chain = "digital/compact/natural+film"
    assert (results / f"froc/{chain}@iou-0.5/operating-points.csv").is_file()
    assert not (results / f"detections/{chain}@iou-0.5").exists()
    for fold in range(3):
        model = json.loads((results / f"models/{chain}@three/fold-{fold}/run-0/model.json").read_text())
        assert model["normalization"] == "scale"
        assert model["provenance"]["settings"]["layers"] == "head"
        assert "models/film/compact/natural@three/" in model["origin"]["path"]
    maps = mpm.open_maps(results / f"mpm/{chain}@three/fold-0/shard-0.h5")
    assert {grid.step for grid in maps.values()} == {24}
    table = pd.read_csv(results / "tables/table-ablations.csv")
    assert table["setting"].str.split(",").str[0].tolist()[:2] == ["as it is", "IoU of 0.5"]
    assert table["accuracy_percent_mean"].notna().tolist() == [True, False, True]


def test_any_test_image_is_drawn_on_request_and_an_unknown_one_refused(finished, results):
    splits = SPLITS.read(results / "splits/digital.csv")
    image_id = splits.loc[splits["role"] == "test", "image_id"].iloc[-1]
    folder = "results/figures/overlays/digital/compact/natural+film"
    drawn = {}
    for kind in ("paper", "candidate"):
        settings = {"detection": {"drawn": kind, "overlays": {"threshold": 0.5}}}
        finished.run(f"{folder}/{image_id}.png", settings=settings)
        drawn[kind] = (finished.folder / "tiny" / folder / f"{image_id}.png").read_bytes()
        assert drawn[kind].startswith(b"\x89PNG")
    assert drawn["paper"] != drawn["candidate"]
    ran = finished.snakemake(f"{folder}/nosuch.png")
    assert ran.returncode != 0
    said = [line for line in (ran.stdout + ran.stderr).splitlines() if line.startswith("image: expected")]
    assert len(said) == 1
    assert said[0].endswith("got 'nosuch'")
    assert not (finished.folder / "tiny" / folder / "nosuch.png").exists()


def test_natural_weights_are_never_called_imagenet_and_phantoms_never_inbreast(results):
    ours = pd.read_csv(results / "tables/table-2.csv").astype(str)
    text = ours[~ours.apply(lambda row: row.str.contains("paper").any(), axis=1)].to_csv()
    assert "natural" in text
    assert "imagenet" not in text.lower()
    assert "inbreast" not in text.lower()


def test_one_log_for_each_job(finished):
    logs = finished.folder / "tiny" / "logs"
    assert (logs / "train/digital/compact/natural+film/fold-2/run-0.log").stat().st_size > 0
    assert len(list(logs.glob("train/**/*.log"))) == 4 + 2 * 3 + 1 + 3


def test_a_second_run_has_nothing_to_do(finished):
    assert finished.planned() == {}
