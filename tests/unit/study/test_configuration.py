import copy
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import trainings
import yaml

from mammoflow.archives import marks
from mammoflow.networks import architectures
from mammoflow.study import configuration

REPOSITORY = Path(__file__).resolve().parents[3]
SCHEMA = REPOSITORY / "workflow" / "schemas" / "config.schema.json"


def laid_over(base, other):
    """Merge as Snakemake merges a --configfile into the configfile."""
    merged = copy.deepcopy(base)
    for key, value in other.items():
        merged[key] = (
            laid_over(merged[key], value)
            if isinstance(value, dict) and isinstance(merged.get(key), dict)
            else value
        )
    return merged


def load(*names):
    config = {}
    for name in names:
        config = laid_over(config, yaml.safe_load((REPOSITORY / "config" / name).read_text()))
    return config


@pytest.fixture
def paper(tmp_path):
    """The paper's config, its data sets at folders that look like releases."""
    config = load("config.yaml")
    for name in ("cbis-ddsm", "inbreast"):
        root = tmp_path / name
        root.mkdir()
        for names in marks.MARKS[name]:
            mark = root / names[0]
            mark.touch() if mark.suffix else mark.mkdir()
        config["datasets"][name]["root"] = str(root)
    return config


@pytest.fixture
def demo():
    return load("config.yaml", "demo.yaml")


def refusal(config):
    with pytest.raises(configuration.ConfigurationError) as caught:
        configuration.check(config, SCHEMA)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_the_shipped_configs_are_accepted(paper, demo):
    configuration.check(paper, SCHEMA)
    configuration.check(demo, SCHEMA)


def test_the_paper_asks_for_its_study(paper):
    study = configuration.Study(paper)
    assert len(study.classification_runs) == 3 * 2 * 5
    assert len(study.detection_runs) == 2 * 5
    assert study.folds("cbis-ddsm") == [0]
    assert study.folds("inbreast") == [0, 1, 2, 3, 4]
    assert study.chains == ["random", "imagenet", "imagenet+cbis-ddsm"]
    assert study.shown_chain == "inbreast/inceptionv3/imagenet+cbis-ddsm"


def test_the_demo_is_the_same_design_in_a_workspace_of_its_own(paper, demo):
    assert demo["workspace"] != paper["workspace"]
    experiment = demo["experiments"]["classification"]
    assert set(paper["experiments"]["classification"]["backbones"]) < set(experiment["backbones"])
    assert "imagenet" not in "".join(
        init
        for name in ("classification", "detection")
        for init in demo["experiments"][name]["initializations"]
    )


def test_a_chain_starts_from_all_runs_of_the_link_before(paper):
    study = configuration.Study(paper)
    wildcards = SimpleNamespace(backbone="inceptionv3", init="imagenet+cbis-ddsm")
    assert study.initial(wildcards, "model.json") == [
        f"results/models/cbis-ddsm/inceptionv3/imagenet/fold-0/run-{run}/model.json" for run in range(5)
    ]
    wildcards = SimpleNamespace(backbone="vgg16", init="imagenet")
    assert study.initial(wildcards, "model.weights.h5") == ["results/weights/imagenet/vgg16.h5"]
    assert study.initial(wildcards, "model.json") == ["results/weights/imagenet/vgg16.json"]
    wildcards = SimpleNamespace(backbone="vgg16", init="random")
    assert study.initial(wildcards, "model.weights.h5") == []


def test_a_longer_cascade_resolves_through_any_data_sets(paper):
    phantoms = {"cohort": "film", "patients": 8, "detector": [512, 512], "pixel_mm": 0.2}
    paper["datasets"]["other"] = paper["datasets"]["cbis-ddsm"] | {"phantoms": phantoms, "label": "other"}
    del paper["datasets"]["other"]["root"]
    paper["experiments"]["detection"]["initializations"] = ["random+other+cbis-ddsm"]
    configuration.check(paper, SCHEMA)
    study = configuration.Study(paper)
    assert set(study.chains) == {
        "random",
        "imagenet",
        "random+other",
        "random+other+cbis-ddsm",
    }
    wildcards = SimpleNamespace(backbone="inceptionv3", init="random+other+cbis-ddsm")
    assert study.initial(wildcards, "model.json") == [
        "results/models/cbis-ddsm/inceptionv3/random+other/fold-0/run-0/model.json"
    ]
    assert study.used_datasets == ["cbis-ddsm", "inbreast", "other"]


def test_settings_have_one_order(demo):
    mixed = {key: demo[key] for key in reversed(demo)}
    mixed["training"] = dict(reversed(demo["training"].items()))
    assert repr(configuration.in_order(mixed)) == repr(configuration.in_order(demo))
    assert configuration.in_order(mixed) == demo
    assert list(configuration.in_order({"b": [2, 1], "a": {"d": 0, "c": 0}})["a"]) == ["c", "d"]


def test_settings_of_one_network_are_laid_over_the_common_ones(demo):
    study = configuration.Study(demo)
    compact = study.training_of_model(SimpleNamespace(backbone="compact", init="random"))
    resnet50 = study.training_of_model(SimpleNamespace(backbone="resnet50", init="random"))
    assert resnet50 == demo["training"]
    assert compact["epochs"] == demo["training_of"]["compact"]["epochs"]
    assert compact["augmentation"] == demo["training"]["augmentation"]


def test_a_splits_table_of_the_users_own(paper, tmp_path):
    paper["datasets"]["inbreast"]["splits"] = str(tmp_path / "own.csv")
    assert "Config key 'datasets.inbreast.splits': expected a splits table; there is no file" in refusal(
        paper
    )
    (tmp_path / "own.csv").touch()
    configuration.check(paper, SCHEMA)
    study = configuration.Study(paper)
    assert study.own_splits(SimpleNamespace(dataset="inbreast")) == [str(tmp_path / "own.csv")]
    assert study.own_splits(SimpleNamespace(dataset="cbis-ddsm")) == []


def test_paths_with_braces_are_refused(paper, tmp_path):
    (tmp_path / "inbreast").rename(tmp_path / "a {b}")
    paper["datasets"]["inbreast"]["root"] = str(tmp_path / "a {b}")
    assert "'datasets.inbreast.root': expected a path without braces" in refusal(paper)


def test_data_sets_need_labels_of_their_own(paper):
    paper["datasets"]["inbreast"]["label"] = "CBIS-DDSM"
    assert "expected a label of its own for each data set" in refusal(paper)


def test_only_the_real_archives_are_held_against_the_paper(paper, demo):
    assert configuration.Study(paper).archives == {"CBIS-DDSM": "CBIS-DDSM", "INbreast": "INbreast"}
    assert configuration.Study(demo).archives == {}


def test_an_intersection_of_at_least_nothing_is_refused(paper):
    paper["detection"]["evaluation"] |= {"hit": "iou-at-least", "iou": 0}
    assert "expected a number above 0, got 0" in refusal(paper)


def test_boxes_of_others_are_evaluated_after_ours(paper, tmp_path):
    (tmp_path / "theirs.csv").write_text("image_id,y0,x0,y1,x1,score\n")
    paper["detection"]["external"] = {"theirs": {"label": "Others", "path": str(tmp_path / "theirs.csv")}}
    configuration.check(paper, SCHEMA)
    study = configuration.Study(paper)
    assert study.evaluated_chains == [*study.detection_chains, "inbreast/external/theirs"]
    assert study.labels["external"] == {"theirs": "Others"}
    assert study.external_file(SimpleNamespace(external="theirs")) == str(tmp_path / "theirs.csv")


def test_lesions_are_counted_merged_or_not(paper):
    assert configuration.Study(paper).evaluated_lesions == "results/index/inbreast/lesions.csv"
    paper["detection"]["evaluation"]["lesions"] = "unmerged"
    assert configuration.Study(paper).evaluated_lesions == "results/index/inbreast/contours.csv"


def nested(schema):
    for key, part in schema.get("properties", {}).items():
        yield key
        yield from nested(part)


def test_every_key_is_described():
    def undescribed(schema, place):
        for key, part in schema.get("properties", {}).items():
            if "$ref" not in part and "description" not in part:
                yield f"{place}.{key}"
            yield from undescribed(part, f"{place}.{key}")

    schema = json.loads(SCHEMA.read_text())
    places = [schema, *schema["$defs"].values()]
    assert [name for place in places for name in undescribed(place, "")] == []
    readme = (REPOSITORY / "config" / "README.md").read_text()
    names = {key for place in places for key in nested(place)}
    assert [
        name
        for name in sorted(names)
        if f"`{name}`" not in readme and f".{name}`" not in readme and f"`{name}." not in readme
    ] == []


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (["patches", "stride"], -56, "'patches.stride'"),
        (["patches", "stride"], "56", "'patches.stride'"),
        (["patches", "window"], 48, "inceptionv3 needs at least 75 pixels; got 48"),
        (["patches", "window"], None, "'patches.window'"),
        (["training", "epochs"], 0, "'training.epochs'"),
        (["training", "parts"], 3, "'training.batch': expected a multiple of 'parts' times 'gpus' (3 × 1)"),
        (["training", "gpus"], 0, "'training.gpus'"),
        (["training_of"], {"vgg19": {}}, "'training_of': expected one of the networks compact"),
        (["training", "learning_rate", "random"], -1.0, "'training.learning_rate.random'"),
        (["training", "augmentation", "scale"], [1.25, 0.75], "expected [low, high]"),
        (["detection", "evaluation", "iou"], 1.0, "'detection.evaluation.iou'"),
        (["detection", "evaluation", "mode"], "", "'detection.evaluation.mode'"),
        (["datasets", "inbreast", "resolution"], {"mm": 0}, "'datasets.inbreast.resolution"),
        (["datasets", "inbreast", "folds"], "official", "only cbis-ddsm has an official split"),
        (["datasets", "inbreast", "folds"], 2, "'datasets.inbreast.folds'"),
        (["datasets", "inbreast", "root"], "", "'datasets.inbreast.root'"),
        (["datasets", "inbreast", "root"], "nowhere/at/all", "found nothing at 'nowhere/at/all'"),
        (["experiments", "detection", "dataset"], "ddsm", "'experiments.detection.dataset'"),
        (["experiments", "detection", "initializations"], ["imagnet"], "got 'imagnet'"),
        (["experiments", "ablations"], [{"name": "nothing"}], "'experiments.ablations.0'"),
        (["experiments", "detection", "initializations"], ["imagenet+ddsm"], "goes through 'ddsm'"),
        (["experiments", "detection", "initializations"], ["imagenet+inbreast"], "trained on"),
        (["experiments", "detection", "initializations"], [], "'experiments.detection.initializations'"),
        (["experiments", "classification", "backbones"], ["compact"], "asks for 'compact'"),
        (
            ["experiments", "classification", "backbones"],
            ["vgg19"],
            "'experiments.classification.backbones.0'",
        ),
        (["weights", "imagenet"], {"label": "x", "source": "files", "files": {}}, "entry for 'vgg16'"),
        (["detection", "evaluation", "hit"], "iou", "'detection.evaluation.hit'"),
        (["detection", "external"], {"theirs": {"label": "x", "path": "no/such.csv"}}, "found nothing at"),
        (["detection", "external"], {"theirs": {"label": "x", "path": "."}}, "found a folder at"),
        (["detection", "external"], {"Theirs": {"label": "x", "path": "."}}, "'detection.external'"),
        (["detection", "external"], {"theirs": {"path": "."}}, "'detection.external.theirs' lacks 'label'"),
        (["seed"], -1, "'seed'"),
        (["workspace"], 3, "'workspace'"),
        (["detection", "evaluation", "size_strata_cm2"], [4, 1], "the smaller first; got [4, 1]"),
        (["training_of", "vgg16"], {"augmentation": {"scale": [2, 1]}}, "'training_of.vgg16.augmentation"),
        (["datasets", "cbis-ddsm", "resolution"], {"mm": 0.2}, "does not tell the spacing"),
        (["datasets", "cbis-ddsm", "negatives"], "normal-images", "has no images without masses"),
    ],
)
def test_impossible_values_are_refused_in_one_sentence(paper, path, value, expected):
    place = paper
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert expected in refusal(paper)


@pytest.mark.parametrize(
    ("path", "wrong", "right"),
    [
        ([], "trainig", "training"),
        (["training"], "epoch", "epochs"),
        (["datasets", "inbreast"], "arhive", "archive"),
        (["detection", "evaluation"], "IoU", "mode"),
    ],
)
def test_misspelt_keys_are_refused_by_name(paper, path, wrong, right):
    place = paper
    for key in path:
        place = place[key]
    place[wrong] = 1
    message = refusal(paper)
    assert f"Unknown config key '{'.'.join([*path, wrong])}'" in message
    assert right in message


def test_a_folder_that_is_no_release_is_refused_by_what_it_lacks(paper, tmp_path):
    (tmp_path / "inbreast" / "INbreast.csv").unlink()
    message = refusal(paper)
    assert "'datasets.inbreast.root'" in message
    assert "INbreast.csv or INbreast.xls" in message


def test_a_data_set_is_either_found_or_made(demo):
    demo["datasets"]["phantom-film"]["root"] = "somewhere"
    assert "got both" in refusal(demo)
    del demo["datasets"]["phantom-film"]["root"], demo["datasets"]["phantom-film"]["phantoms"]
    assert "got neither" in refusal(demo)


def test_a_data_set_that_no_experiment_uses_is_not_looked_for(demo):
    assert not Path(demo["datasets"]["inbreast"]["root"]).is_absolute()
    configuration.check(demo, SCHEMA)


def test_a_new_network_is_one_module(demo, tmp_path, monkeypatch):
    monkeypatch.setattr(architectures, "__path__", [*architectures.__path__])
    demo["experiments"]["classification"]["backbones"] = ["own", "compact"]
    assert "expected one of the networks compact, inceptionv3, resnet50, vgg16; got" in refusal(demo)
    trainings.add_network(tmp_path)
    demo["training_of"]["own"] = {"batch": 7}
    try:
        configuration.check(demo, SCHEMA)
        study = configuration.Study(demo)
        assert study.backbones == ["own", "compact"]
        assert study.labels["backbones"]["own"] == "our own"
        assert study.training_of_model(SimpleNamespace(backbone="own", init="random"))["batch"] == 7
    finally:
        architectures.network.cache_clear()
        sys.modules.pop("mammoflow.networks.architectures.own")


def test_the_networks_labels_need_no_tensorflow():
    code = (
        "import sys; from mammoflow.networks import architectures; "
        "print([architectures.network(name).label for name in architectures.names()], "
        "'keras' in sys.modules, 'tensorflow' in sys.modules)"
    )
    path = str(REPOSITORY / "workflow" / "scripts")
    ran = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": path}, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "['compact', 'InceptionV3', 'ResNet50', 'VGG16'] False False"


def test_the_same_images_under_another_name_are_no_other_images(paper, demo):
    paper["datasets"]["again"] = dict(paper["datasets"]["inbreast"])
    paper["experiments"]["detection"]["initializations"] = ["imagenet+again"]
    assert "trained on" in refusal(paper)
    again = copy.deepcopy(demo["datasets"]["phantom-digital"])
    again["phantoms"]["patients"] = 50
    demo["datasets"]["again"] = again
    demo["experiments"]["detection"]["initializations"] = ["natural+again"]
    assert "trained on" in refusal(demo)


def test_an_ablation_takes_from_the_model_what_its_setting_does_not_touch(paper):
    paper["experiments"]["ablations"] = [
        {"name": "fine", "stride": 28},
        {"name": "strict", "iou": 0.5},
        {"name": "scaled", "normalization": "scale"},
        {"name": "shallow", "layers": "head"},
    ]
    study = configuration.Study(paper)
    chain = "imagenet+cbis-ddsm"
    lies = {
        name: (study.trained_as(f"{chain}@{name}"), study.mapped_as(f"{chain}@{name}"))
        for name in study.ablations
    }
    assert lies == {
        "fine": (chain, f"{chain}@fine"),
        "strict": (chain, chain),
        "scaled": (f"{chain}@scaled", f"{chain}@scaled"),
        "shallow": (f"{chain}@shallow", f"{chain}@shallow"),
    }
    assert [case.chain for case in study.cases] == [
        f"inbreast/inceptionv3/{chain}{suffix}" for suffix in ("", "@fine", "@strict", "@scaled", "@shallow")
    ]
    assert study.cases[1].runs == study.cases[2].runs == study.cases[0].runs
    assert study.cases[2].maps == study.cases[0].maps


def test_an_ablation_changes_its_setting_and_no_other(paper):
    study = configuration.Study(paper)

    def settings(init):
        wildcards = SimpleNamespace(backbone="inceptionv3", init=init)
        return (
            study.training_of_model(wildcards)["layers"],
            study.normalization(wildcards),
            study.stride(wildcards),
            study.evaluation(wildcards)["iou"],
        )

    chain = "imagenet+cbis-ddsm"
    assert settings(chain) == ("all", "gcn", 56, 0.2)
    assert settings(f"{chain}@shallow") == ("head", "gcn", 56, 0.2)
    assert settings(f"{chain}@scaling") == ("all", "scale", 56, 0.2)
    assert settings(f"{chain}@stride-28") == ("all", "gcn", 28, 0.2)
    assert settings(f"{chain}@iou-0.5") == ("all", "gcn", 56, 0.5)


def test_only_another_normalization_goes_back_through_the_chain(paper):
    study = configuration.Study(paper)

    def starts(init):
        return study.initial(SimpleNamespace(backbone="inceptionv3", init=init), "model.json")

    assert starts("imagenet+cbis-ddsm@shallow") == starts("imagenet+cbis-ddsm")
    place = "results/models/cbis-ddsm/inceptionv3/imagenet@scaling/fold-0/run-0/model.json"
    assert starts("imagenet+cbis-ddsm@scaling") == [place]
    assert starts("imagenet@scaling") == ["results/weights/imagenet/inceptionv3.json"]


def test_an_ablation_that_changes_nothing_is_left_out(paper):
    paper["detection"]["stride"] = 28
    paper["experiments"]["ablations"].append({"name": "partly", "stride": 28, "iou": 0.4})
    study = configuration.Study(paper)
    assert list(study.ablations) == ["stride-112", "iou-0.5", "scaling", "shallow", "partly"]
    assert study.ablations["partly"] == {"iou": 0.4}


@pytest.mark.parametrize(
    ("hit", "iou", "said"),
    [("centre-in-box", 0.5, "no IoU matters"), ("iou-at-least", 0, "at least 0"), ("iou-above", 0, None)],
)
def test_an_iou_of_an_ablation_means_something_under_the_hit_rule(paper, hit, iou, said):
    paper["detection"]["evaluation"]["hit"] = hit
    paper["experiments"]["ablations"] = [{"name": "other", "iou": iou}]
    problems = [each for each in configuration.Study(paper).problems() if "ablations" in each]
    assert len(problems) == (said is not None)
    assert all(said in problem and "'other'" in problem for problem in problems)


def test_ablations_of_one_name_are_refused(paper):
    paper["experiments"]["ablations"] = [{"name": "a", "stride": 7}, {"name": "a", "iou": 0.4}]
    (problem,) = configuration.Study(paper).problems()
    assert problem.startswith(
        "Config key 'experiments.ablations': expected names that differ; got 'a' 2 times"
    )


def test_an_official_split_needs_its_validation_part(paper):
    del paper["datasets"]["cbis-ddsm"]["validation_fraction"]
    assert "lacks 'validation_fraction'" in refusal(paper)


def test_a_networks_weights_depend_on_its_own_file_only(paper):
    entry = {"path": "a.h5", "sha256": "0" * 64}
    paper["weights"]["imagenet"] = {
        "label": "x",
        "source": "files",
        "files": {"vgg16": entry, "resnet50": entry},
    }
    wildcards = SimpleNamespace(weights="imagenet", backbone="vgg16")
    assert configuration.Study(paper).weights_source(wildcards) == {
        "source": "files",
        "files": {"vgg16": entry},
    }


def test_a_release_may_lie_in_the_folders_its_download_made(paper, tmp_path):
    (tmp_path / "download").mkdir()
    (tmp_path / "inbreast").rename(tmp_path / "download" / "INbreast Release 1.0")
    paper["datasets"]["inbreast"]["root"] = str(tmp_path / "download")
    configuration.check(paper, SCHEMA)
    table, *_ = configuration.Study(paper).release_files(SimpleNamespace(dataset="inbreast"))
    assert table.endswith("INbreast Release 1.0/INbreast.csv")
