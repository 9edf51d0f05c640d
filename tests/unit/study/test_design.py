from mammoflow.study.design import Study


def test_the_paper_asks_for_its_study(paper):
    study = Study(paper)
    assert len(study.classification_runs) == 3 * 2 * 5
    assert len(study.detection_runs) == 2 * 5
    assert study.folds("cbis-ddsm") == [0]
    assert study.folds("inbreast") == [0, 1, 2, 3, 4]
    assert study.chains == ["random", "imagenet", "imagenet+cbis-ddsm"]
    assert study.shown_chain == "inbreast/inceptionv3/imagenet+cbis-ddsm"


def test_single_networks_may_have_other_numbers_of_runs(paper):
    paper["experiments"]["classification"]["runs_of"] = {"vgg16": 2}
    study = Study(paper)
    assert study.runs("cbis-ddsm", "vgg16", "random") == 2
    assert study.runs("cbis-ddsm", "resnet50", "random") == 5
    assert len(study.classification_runs) == 2 * (5 + 5 + 2)


def test_only_the_real_archives_are_held_against_the_paper(paper, demo):
    assert Study(paper).archives == {"CBIS-DDSM": "CBIS-DDSM", "INbreast": "INbreast"}
    assert Study(demo).archives == {}


def test_lesions_are_counted_merged_or_not(paper):
    assert Study(paper).evaluated_as == "lesions"
    paper["detection"]["evaluation"]["lesions"] = "unmerged"
    assert Study(paper).evaluated_as == "contours"


def test_an_ablation_takes_from_the_model_what_its_setting_does_not_touch(paper):
    paper["experiments"]["ablations"] = [
        {"name": "fine", "stride": 28},
        {"name": "strict", "iou": 0.5},
        {"name": "scaled", "normalization": "scale"},
        {"name": "shallow", "layers": "head"},
        {"name": "mirrored", "mirrored": True},
        {"name": "magnified", "magnifications": [1, 0.5]},
        {"name": "every-run", "runs": "all"},  # the only one
        {"name": "peak", "scoring": "peak"},
        {"name": "own-scale", "own_scale": [2]},
    ]
    study = Study(paper)
    chain = "imagenet+cbis-ddsm"
    lies = {
        name: [at(f"{chain}@{name}") for at in (study.trained_as, study.mapped_as, study.scored_as)]
        for name in study.ablations
    }
    assert lies == {
        "fine": [chain, f"{chain}@fine", f"{chain}@fine"],
        "strict": [chain, chain, chain],
        "scaled": 3 * [f"{chain}@scaled"],
        "shallow": 3 * [f"{chain}@shallow"],
        "mirrored": [chain, f"{chain}@mirrored", f"{chain}@mirrored"],
        "magnified": [chain, f"{chain}@magnified", f"{chain}@magnified"],
        "peak": [chain, chain, f"{chain}@peak"],
        "own-scale": [chain, chain, f"{chain}@own-scale"],
    }
    assert [case.chain for case in study.cases] == [
        f"inbreast/inceptionv3/{chain}{suffix}" for suffix in ("", *(f"@{name}" for name in study.ablations))
    ]
    assert study.cases[1].runs == study.cases[2].runs == study.cases[0].runs
    assert study.cases[2].mapped == study.cases[0].mapped


def test_hard_negatives_retrain_what_was_trained(paper):
    found = {"images": None, "per_image": 5, "probability": 0.5}
    paper["experiments"]["ablations"] = [
        {"name": "hard", "hard_negatives": found},
        {"name": "fine", "stride": 28},
        {"name": "once", "hard_negatives": None},
    ]
    study = Study(paper)
    chain = "imagenet+cbis-ddsm"
    assert list(study.ablations) == ["hard", "fine"]
    assert study.trained_as(f"{chain}@hard") == chain
    assert study.retrained_as(f"{chain}@hard") == study.mapped_as(f"{chain}@hard") == f"{chain}@hard"
    assert study.retrained_as(f"{chain}@fine") == chain
    assert study.cases[1].runs == study.cases[0].runs
    paper["detection"]["hard_negatives"] = found
    assert list(Study(paper).ablations) == ["fine", "once"]


def test_the_order_of_a_list_changes_nothing(paper):
    paper["detection"]["ensemble"]["magnifications"] = [1, 0.5]
    paper["experiments"]["ablations"] = [
        {"name": "same", "magnifications": [0.5, 1]},
        {"name": "other", "magnifications": [2, 1]},
    ]
    assert list(Study(paper).ablations) == ["other"]


def test_an_ablation_that_changes_nothing_is_left_out(paper):
    paper["detection"]["stride"] = 28
    paper["experiments"]["ablations"].append({"name": "partly", "stride": 28, "iou": 0.4})
    study = Study(paper)
    others = ["stride-112", "iou-0.5", "half-height", "scaling", "fraction", "shallow"]
    assert list(study.ablations) == [*others, "partly"]
    assert study.ablations["partly"] == {"iou": 0.4}
