"""Experiment 4: models on the images of other data sets."""

import re
from types import SimpleNamespace

import pytest
from configs import SCHEMA, SCRIPTS, refusal

from mammoflow.study import configuration
from mammoflow.study.design import Study
from mammoflow.study.needs import Needs

FILM, DIGITAL = "phantom-film", "phantom-digital"
BOTH = f"{FILM}&{DIGITAL}"


@pytest.fixture
def transferring(demo):
    demo["experiments"]["transfer"] = {
        "datasets": [FILM, DIGITAL],
        "backbones": ["compact"],
        "initialization": "natural",
        "together": True,
    }
    return demo


@pytest.fixture
def needs(transferring):
    configuration.check(transferring, SCHEMA)
    return Needs(Study(transferring), SCRIPTS, SCRIPTS.joinpath)


def of(dataset, init, fold=0):
    return SimpleNamespace(dataset=dataset, backbone="compact", init=init, fold=str(fold))


def models(dataset, init, folds, runs=1):
    return [
        f"results/models/{dataset}/compact/{init}/fold-{fold}/run-{run}/model.json"
        for fold in folds
        for run in range(runs)
    ]


def test_every_model_is_tested_on_every_data_set(transferring):
    found = [(each.trained_on, each.tested_on, each.chain) for each in Study(transferring).transfers]
    assert found == [
        (FILM, FILM, f"{FILM}/compact/natural"),
        (FILM, DIGITAL, f"{DIGITAL}/compact/natural+{FILM}@transferred"),
        (FILM, DIGITAL, f"{DIGITAL}/compact/natural+{FILM}"),
        (DIGITAL, FILM, f"{FILM}/compact/natural+{DIGITAL}@transferred"),
        (DIGITAL, FILM, f"{FILM}/compact/natural+{DIGITAL}"),
        (DIGITAL, DIGITAL, f"{DIGITAL}/compact/natural"),
        (BOTH, FILM, f"{FILM}/compact/natural+{BOTH}@transferred"),
        (BOTH, DIGITAL, f"{DIGITAL}/compact/natural+{BOTH}@transferred"),
    ]


def test_a_model_from_elsewhere_may_be_of_any_fold_and_brings_its_score(needs):
    wildcards = of(FILM, f"natural+{DIGITAL}@transferred")
    assert needs.runs_of_fold("model.json")(wildcards) == models(DIGITAL, "natural", range(3))
    assert needs.folds_of_runs(wildcards) == [0, 1, 2]
    assert needs.given_scores(wildcards) == [
        f"results/candidates/{DIGITAL}/compact/natural/fold-{fold}.json" for fold in range(3)
    ]
    assert needs.given_scores(of(DIGITAL, "natural")) == []


def test_all_runs_of_a_model_from_elsewhere_test_every_fold(needs):
    wildcards = of(DIGITAL, f"natural+{FILM}@transferred", fold=2)
    assert needs.runs_of_fold("model.json")(wildcards) == models(FILM, "natural", [0], runs=2)
    tests = [(each["fold"], each["run"]) for each in needs.runs(wildcards)]
    assert tests == [(fold, run) for fold in range(3) for run in range(2)]


def test_no_image_is_tested_by_a_network_that_it_trained(needs):
    for fold in range(3):
        wildcards = of(DIGITAL, f"natural+{BOTH}@transferred", fold)
        assert needs.runs_of_fold("model.json")(wildcards) == models(BOTH, "natural", [fold])
    # The official test part of the film is kept out of all folds.
    wildcards = of(FILM, f"natural+{BOTH}@transferred")
    assert needs.runs_of_fold("model.json")(wildcards) == models(BOTH, "natural", range(3))
    assert needs.given_scores(wildcards) == []


def test_several_data_sets_train_one_network(needs):
    wildcards = of(BOTH, "natural", fold=2)
    assert needs.banks(wildcards) == [f"results/patches/{name}/stored.h5" for name in (FILM, DIGITAL)]
    assert needs.folds_of_banks(wildcards) == [0, 2]


def test_models_have_the_licences_of_all_their_data(needs):
    names = [each["name"] for each in needs.training_data(of(DIGITAL, f"natural+{BOTH}"))]
    assert names == ["natural", FILM, DIGITAL, DIGITAL]


def test_a_cascade_may_go_through_several_data_sets_at_once(paper):
    other = {"phantoms": {"cohort": "digital", "patients": 8, "detector": [512, 512], "pixel_mm": 0.2}}
    paper["datasets"]["other"] = paper["datasets"]["inbreast"] | other | {"label": "other"}
    del paper["datasets"]["other"]["root"]
    paper["experiments"]["detection"]["initializations"] = ["imagenet+cbis-ddsm&other"]
    configuration.check(paper, SCHEMA)
    study = Study(paper)
    assert study.joint_datasets == ["cbis-ddsm&other"]
    assert study.used_datasets == ["cbis-ddsm", "inbreast", "other"]
    needs = Needs(study, SCRIPTS, SCRIPTS.joinpath)
    wildcards = SimpleNamespace(backbone="inceptionv3", init="imagenet+cbis-ddsm&other")
    assert needs.initial_metadata(wildcards) == [
        f"results/models/cbis-ddsm&other/inceptionv3/imagenet/fold-{fold}/run-0/model.json"
        for fold in range(5)
    ]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"datasets": [FILM, "nowhere"]},
            "'experiments.transfer.datasets': expected names among .*'nowhere'",
        ),
        (
            {"initialization": "learnt"},
            "'experiments.transfer.initialization': expected one of .*'learnt'",
        ),
        ({"backbones": []}, "'experiments.transfer.backbones': expected one or more different networks"),
        ({"datasets": [FILM]}, "'experiments.transfer.datasets': expected two or more"),
    ],
)
def test_a_transfer_that_cannot_be_is_refused(transferring, changes, sentence):
    transferring["experiments"]["transfer"] |= changes
    message = refusal(transferring)
    assert re.search(sentence, message), message


def test_data_sets_of_the_same_images_are_refused(transferring):
    transferring["datasets"]["again"] = transferring["datasets"][FILM] | {"label": "again"}
    transferring["experiments"]["transfer"]["datasets"].append("again")
    assert "got some of the same images among" in refusal(transferring)


def test_folds_that_do_not_fit_together_are_refused(transferring):
    settings = {"phantoms": transferring["datasets"][DIGITAL]["phantoms"] | {"cohort": "film"}}
    transferring["datasets"]["other"] = transferring["datasets"][FILM] | settings
    transferring["datasets"]["other"] |= {"label": "other", "folds": 4}
    del transferring["datasets"][FILM]
    for name, experiment in transferring["experiments"].items():
        if name == "classification":
            experiment["dataset"] = "other"
        if name == "detection":
            experiment["initializations"] = ["natural"]
    transferring["experiments"]["transfer"]["datasets"] = ["other", DIGITAL]
    assert "need the same number of folds, or an official split; got 4 of 'other', 3 of" in refusal(
        transferring
    )


def test_hard_negatives_of_several_data_sets_are_refused(transferring):
    transferring["detection"]["hard_negatives"] = {"images": 3, "per_image": 2, "probability": 0.5}
    assert "hard negatives are found for models of a single data set" in refusal(transferring)
    transferring["experiments"]["transfer"]["together"] = False
    configuration.check(transferring, SCHEMA)


def test_thresholds_of_another_fold_than_that_of_the_networks_are_refused(transferring):
    transferring["bundles"]["fold"] = 1
    assert "Config key 'bundles.fold'" in refusal(transferring)
    assert "expected 'best', got 1" in refusal(transferring)


def test_a_model_from_elsewhere_needs_no_maps_to_learn_from(needs, transferring):
    assert needs.learning(of(FILM, f"natural+{DIGITAL}@transferred"))["parts"] == []
    learning = transferring["detection"]["candidates"]["learning"]
    assert learning["parts"] == ["train"]
    assert needs.learning(of(FILM, f"natural+{BOTH}@transferred")) == learning
    assert needs.learning(of(DIGITAL, "natural")) == learning


def test_an_ablation_has_another_name(transferring):
    transferring["experiments"]["ablations"] = [{"name": "transferred", "iou": 0.5}]
    assert "expected another name than 'transferred'" in refusal(transferring)
