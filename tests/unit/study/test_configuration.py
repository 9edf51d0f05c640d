import copy
import json
import re
import subprocess
import sys
from pathlib import Path

import h5py
import pytest
from configs import REPOSITORY, SCHEMA, load, refusal
from snakemake.cli import parse_config
from snakemake.utils import update_config
from weights_files import write_notop

from mammoflow.study import configuration
from mammoflow.study.design import Study
from mammoflow.study.problems import problems


def test_the_shipped_configs_are_accepted(paper, demo):
    configuration.check(paper, SCHEMA)
    configuration.check(demo, SCHEMA)


def test_the_demo_is_the_same_design_in_a_workspace_of_its_own(paper, demo):
    assert demo["workspace"] != paper["workspace"]
    experiment = demo["experiments"]["classification"]
    assert set(paper["experiments"]["classification"]["backbones"]) < set(experiment["backbones"])
    assert "imagenet" not in "".join(
        init
        for name in ("classification", "detection")
        for init in demo["experiments"][name]["initializations"]
    )


def test_settings_have_one_order(demo):
    mixed = {key: demo[key] for key in reversed(demo)}
    mixed["training"] = dict(reversed(demo["training"].items()))
    assert repr(configuration.in_order(mixed)) == repr(configuration.in_order(demo))
    assert configuration.in_order(mixed) == demo
    assert list(configuration.in_order({"b": [2, 1], "a": {"d": 0, "c": 0}})["a"]) == ["c", "d"]


def test_nested_values_of_the_command_line_are_what_the_schema_takes(paper):
    given = parse_config(
        [
            "detection={stride: 8, evaluation: {iou: 0.1, operating_points: [0.5, 1]}}",
            "training={learning_rate: {random: 1e-3}, steps_per_epoch: null, augmentation: {flip: false}}",
            "datasets={inbreast: {label: 12, folds: 3, resolution: {mm: 0.2}}}",
            "datasets={cbis-ddsm: {resolution: original}}",
        ]
    )
    update_config(paper, given)
    configuration.adapt(paper, SCHEMA)
    assert paper["detection"]["stride"] == 8
    assert paper["detection"]["evaluation"]["iou"] == 0.1
    assert paper["detection"]["evaluation"]["operating_points"] == [0.5, 1]
    assert paper["training"]["learning_rate"]["random"] == 0.001
    assert paper["training"]["steps_per_epoch"] is None
    assert paper["training"]["augmentation"]["flip"] is False
    assert paper["datasets"]["inbreast"]["label"] == "12"
    assert paper["datasets"]["inbreast"]["folds"] == 3
    assert paper["datasets"]["inbreast"]["resolution"] == {"mm": 0.2}
    assert paper["datasets"]["cbis-ddsm"]["resolution"] == "original"
    configuration.check(paper, SCHEMA)


@pytest.mark.parametrize("text", ["eight", "nan", "2020-01-01", "{", "-3"])
def test_so_are_those_that_are_refused(paper, text):
    paper["detection"]["stride"] = text
    configuration.adapt(paper, SCHEMA)
    with pytest.raises(
        configuration.ConfigurationError, match=rf"'detection.stride': .* got \"?{re.escape(text)}"
    ):
        configuration.check(paper, SCHEMA)


def test_paths_with_braces_are_refused(paper, tmp_path):
    (tmp_path / "inbreast").rename(tmp_path / "a {b}")
    paper["datasets"]["inbreast"]["root"] = str(tmp_path / "a {b}")
    assert "'datasets.inbreast.root': expected a path without braces" in refusal(paper)


def test_data_sets_need_labels_of_their_own(paper):
    paper["datasets"]["inbreast"]["label"] = "CBIS-DDSM"
    assert "expected a label of its own for each data set" in refusal(paper)


def test_an_intersection_of_at_least_nothing_is_refused(paper):
    paper["detection"]["evaluation"] |= {"hit": "iou-at-least", "iou": 0}
    assert "expected a number above 0, got 0" in refusal(paper)


def nested(schema):
    for key, part in schema.get("properties", {}).items():
        yield key
        yield from nested(part)


def test_windows_around_candidates_need_a_learnt_score(paper):
    ablations = [{"name": "own-scale", "own_scale": [2]}, {"name": "peak", "scoring": "peak"}]
    paper["experiments"]["ablations"] = ablations
    configuration.check(paper, SCHEMA)
    paper["experiments"]["ablations"] = [ablations[0] | {"scoring": "peak"}]
    assert "experiments.ablations (own-scale)" in refusal(paper)
    paper["experiments"]["ablations"] = []
    paper["detection"]["candidates"] |= {"scoring": "peak", "own_scale": [2]}
    assert "expected scoring 'learnt', or no 'own_scale', got scoring 'peak'" in refusal(paper)


def test_dense_maps_need_a_normalisation_of_the_image(paper):
    assert not [each for each in problems(Study(paper)) if "maps" in each]
    paper["inference"]["maps"] = "dense"
    (said,) = [each for each in problems(Study(paper)) if "maps" in each]
    assert said.startswith("Config key 'normalization': 'gcn' normalises each window by itself")
    paper["normalization"] = "scale"
    assert not [each for each in problems(Study(paper)) if "maps" in each]
    paper["experiments"]["ablations"] = [{"name": "contrast", "normalization": "gcn"}]
    (said,) = [each for each in problems(Study(paper)) if "maps" in each]
    assert said.startswith("Config key 'experiments.ablations (contrast)'")


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
        (["detection", "drawn"], "both", "'detection.drawn'"),
        (["datasets", "inbreast", "resolution"], {"mm": 0}, "'datasets.inbreast.resolution"),
        (
            ["datasets", "inbreast", "folds"],
            "official",
            "only 'cbis-ddsm', 'cbis-ddsm-jpeg', 'vindr-mammo', 'annotated' have an official split",
        ),
        (["datasets", "inbreast", "folds"], 2, "'datasets.inbreast.folds'"),
        (["datasets", "inbreast", "root"], "", "'datasets.inbreast.root'"),
        (["datasets", "inbreast", "root"], "nowhere/at/all", "found nothing at 'nowhere/at/all'"),
        (["experiments", "detection", "dataset"], "ddsm", "'experiments.detection.dataset'"),
        (["experiments", "detection", "initializations"], ["imagnet"], "got 'imagnet'"),
        (
            ["experiments", "detection", "runs_of"],
            {"vgg19": 1},
            "'experiments.detection.runs_of': expected one of the networks compact",
        ),
        (
            ["experiments", "detection", "runs_of"],
            {"inceptionv3": 0},
            "'experiments.detection.runs_of.inceptionv3'",
        ),
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
        (["inference", "maps"], "sparse", "'inference.maps'"),
        (["workspace"], 3, "'workspace'"),
        (["container"], "my image.sif", "'container'"),
        (["container"], "", "'container'"),
        (["detection", "evaluation", "size_strata_cm2"], [4, 1], "the smaller first; got [4, 1]"),
        (["training_of", "vgg16"], {"augmentation": {"scale": [2, 1]}}, "'training_of.vgg16.augmentation"),
        (["detection", "candidates", "learning", "images"], 0, "learn the scores of candidates from; got 0"),
        (["detection", "candidates", "fractions"], [1], "'detection.candidates.fractions"),
        (["datasets", "cbis-ddsm", "resolution"], {"mm": 0.2}, "does not tell the pixel spacing"),
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


def test_a_folder_of_a_release_that_is_a_link_is_named_with_what_to_do(paper, tmp_path):
    (tmp_path / "inbreast" / "AllDICOMs").rename(tmp_path / "disk")
    (tmp_path / "inbreast" / "AllDICOMs").symlink_to(tmp_path / "disk")
    message = refusal(paper)
    assert "expected AllDICOMs in" in message
    assert "found 'AllDICOMs', but symbolic links are not followed: move the real one there" in message


def test_a_root_may_be_a_link(paper, tmp_path):
    (tmp_path / "inbreast").rename(tmp_path / "disk")
    (tmp_path / "inbreast").symlink_to("disk")
    configuration.check(paper, SCHEMA)


def test_a_data_set_is_either_found_or_made(demo):
    demo["datasets"]["phantom-film"]["root"] = "somewhere"
    assert "got both" in refusal(demo)
    del demo["datasets"]["phantom-film"]["root"], demo["datasets"]["phantom-film"]["phantoms"]
    assert "got neither" in refusal(demo)


def test_a_data_set_that_no_experiment_uses_is_not_looked_for(demo):
    assert not Path(demo["datasets"]["inbreast"]["root"]).is_absolute()
    configuration.check(demo, SCHEMA)


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
    assert ran.stdout.strip() == "['compact', 'InceptionV3', 'residual', 'ResNet50', 'VGG16'] False False"


def test_the_same_images_under_another_name_are_no_other_images(paper, demo):
    paper["datasets"]["again"] = dict(paper["datasets"]["inbreast"])
    paper["experiments"]["detection"]["initializations"] = ["imagenet+again"]
    assert "trained on" in refusal(paper)
    again = copy.deepcopy(demo["datasets"]["phantom-digital"])
    again["phantoms"]["patients"] = 50
    demo["datasets"]["again"] = again
    demo["experiments"]["detection"]["initializations"] = ["natural+again"]
    assert "trained on" in refusal(demo)


@pytest.mark.parametrize(
    ("hit", "iou", "said"),
    [("centre-in-box", 0.5, "no IoU matters"), ("iou-at-least", 0, "at least 0"), ("iou-above", 0, None)],
)
def test_an_iou_of_an_ablation_means_something_under_the_hit_rule(paper, hit, iou, said):
    paper["detection"]["evaluation"]["hit"] = hit
    paper["experiments"]["ablations"] = [{"name": "other", "iou": iou}]
    found = [each for each in problems(Study(paper)) if "ablations" in each]
    assert len(found) == (said is not None)
    assert all(said in problem and "'other'" in problem for problem in found)


def test_ablations_of_one_name_are_refused(paper):
    paper["experiments"]["ablations"] = [{"name": "a", "stride": 7}, {"name": "a", "iou": 0.4}]
    (problem,) = problems(Study(paper))
    assert problem.startswith(
        "Config key 'experiments.ablations': expected names that differ; got 'a' 2 times"
    )


def test_an_official_split_needs_its_validation_part(paper):
    del paper["datasets"]["cbis-ddsm"]["validation_fraction"]
    assert "lacks 'validation_fraction'" in refusal(paper)


def write_text(path):
    path.write_text("not HDF5")


def write_keras_3(path):
    with h5py.File(path, "w") as file:
        file.create_group("layers")
        file.create_group("optimizer")


def write_other_network(path):
    write_notop(path, [(3, 3, 3, 64), (7,)])


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (write_text, "expected an HDF5 file of weights in Keras' notop layout, got: "),
        (write_keras_3, "got an HDF5 file that holds layers, optimizer"),
        (
            write_other_network,
            "expected the 13 layers with 14,714,688 weights of vgg16 without its top, got 2 layers",
        ),
    ],
)
def test_a_file_of_other_weights_is_refused_before_any_job(paper, tmp_path, write, said):
    path = tmp_path / "vgg16.h5"
    write(path)
    files = {name: {"path": str(path), "sha256": "0" * 64} for name in ("vgg16", "resnet50", "inceptionv3")}
    paper["weights"]["imagenet"] = {"label": "x", "source": "files", "files": files}
    message = refusal(paper)
    assert message.startswith(f"Config key 'weights.imagenet.files.vgg16.path': {path}: ")
    assert said in message


@pytest.fixture
def vindr(tmp_path):
    """The study of VinDr-Mammo, its data set at a folder that looks like the release."""
    settings = load("config.yaml", "vindr-mammo.yaml")
    (tmp_path / "vindr" / "images").mkdir(parents=True)
    for name in ("breast-level_annotations.csv", "finding_annotations.csv"):
        (tmp_path / "vindr" / name).touch()
    settings["datasets"]["vindr-mammo"]["root"] = str(tmp_path / "vindr")
    return settings


def test_the_study_of_vindr_mammo_can_be_run_once_its_archive_is_there(vindr, tmp_path):
    configuration.check(vindr, SCHEMA)
    assert Study(vindr).archives == {"VinDr-Mammo": "VinDr-Mammo"}
    (tmp_path / "vindr" / "finding_annotations.csv").unlink()
    assert "'datasets.vindr-mammo.root': expected finding_annotations.csv in" in refusal(vindr)


def test_its_official_split_needs_a_validation_part(vindr):
    del vindr["datasets"]["vindr-mammo"]["validation_fraction"]
    assert "lacks 'validation_fraction'" in refusal(vindr)


@pytest.mark.parametrize(
    ("archive", "release", "label"),
    [
        (
            "cdd-cesm",
            ["Radiology-manual-annotations.csv", "Radiology_hand_drawn_segmentations_v2.csv"],
            "CDD-CESM",
        ),
        (
            "cbis-ddsm-jpeg",
            [
                "csv/dicom_info.csv",
                "csv/mass_case_description_train_set.csv",
                "csv/mass_case_description_test_set.csv",
                "jpeg/1.1/1-001.jpg",
            ],
            "CBIS-DDSM (8 bits)",
        ),
    ],
)
def test_the_studies_of_jpeg_archives_can_be_run_once_they_are_there(tmp_path, archive, release, label):
    settings = load("config.yaml", f"{archive}.yaml")
    for name in release:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    settings["datasets"][archive]["root"] = str(tmp_path)
    configuration.check(settings, SCHEMA)
    study = Study(settings)
    assert study.used_datasets == [archive]
    assert study.archives == {label: label.removesuffix(" (8 bits)")}
    (tmp_path / release[0]).unlink()
    assert f"'datasets.{archive}.root': expected {Path(release[0]).name}" in refusal(settings)


@pytest.mark.parametrize(
    ("name", "archive", "written"),
    [
        (
            "phantom-digital",
            "cbis-ddsm",
            "'inbreast', 'annotated', 'vindr-mammo', 'cdd-cesm', as which digital phantoms",
        ),
        ("phantom-film", "vindr-mammo", "'cbis-ddsm', 'cbis-ddsm-jpeg', as which film phantoms"),
    ],
)
def test_phantoms_are_written_as_archives_of_their_kind(demo, name, archive, written):
    demo["datasets"][name]["archive"] = archive
    assert f"'datasets.{name}.archive': expected one of {written} are written; got '{archive}'" in refusal(
        demo
    )


def test_digital_phantoms_can_have_the_form_of_vindr_mammo(demo):
    demo["datasets"]["phantom-digital"] |= {
        "archive": "vindr-mammo",
        "folds": "official",
        "validation_fraction": 0.3,
    }
    configuration.check(demo, SCHEMA)
    assert Study(demo).archives == {}


def test_digital_phantoms_can_have_the_form_of_cdd_cesm_which_has_no_spacing(demo):
    demo["datasets"]["phantom-digital"] |= {"archive": "cdd-cesm", "resolution": {"factor": 4}}
    configuration.check(demo, SCHEMA)
    demo["datasets"]["phantom-digital"]["resolution"] = {"mm": 0.4}
    assert "'cdd-cesm' does not tell the pixel spacing" in refusal(demo)


@pytest.fixture
def jpeg(demo):
    """The demo with its film phantoms as JPEG files."""
    demo["datasets"]["phantom-film"] |= {"archive": "cbis-ddsm-jpeg", "label": "phantom film, 8 bits"}
    return demo


def test_the_label_of_pictures_of_8_bits_says_so(jpeg):
    configuration.check(jpeg, SCHEMA)
    jpeg["datasets"]["phantom-film"]["label"] = "phantom film"
    assert "'datasets.phantom-film.label': the JPEG files of CBIS-DDSM have 8 bits" in refusal(jpeg)


def test_both_forms_of_the_same_films_never_make_one_model(jpeg, demo):
    dicom = dict(jpeg["datasets"]["phantom-film"]) | {"archive": "cbis-ddsm", "label": "DICOM"}
    jpeg["datasets"]["dicom"] = dicom
    jpeg["experiments"]["detection"]["initializations"] = ["natural+phantom-film+dicom"]
    said = "'cbis-ddsm', 'cbis-ddsm-jpeg' are the same patients on different grey scales"
    assert said in refusal(jpeg)
    jpeg["experiments"]["detection"]["initializations"] = ["natural"]
    jpeg["experiments"]["transfer"]["datasets"] = ["phantom-film", "dicom"]
    assert any("'experiments.transfer.datasets': " + said in problem for problem in problems(Study(jpeg)))
    dicom["phantoms"] = None
    dicom["root"] = "real"
    assert not any(said in problem for problem in problems(Study(jpeg)))


def test_cdd_cesm_has_no_spacing(paper):
    paper["datasets"]["inbreast"] |= {"archive": "cdd-cesm", "resolution": {"mm": 0.2}}
    assert any("'cdd-cesm' does not tell the pixel spacing" in problem for problem in problems(Study(paper)))


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("resolution", {"mm": 0.2}, "does not tell the pixel spacing"),
        ("negatives", "normal-images", "without masses"),
    ],
)
def test_pictures_of_cbis_ddsm_have_its_limits(jpeg, key, value, said):
    jpeg["datasets"]["phantom-film"][key] = value
    assert said in refusal(jpeg)


def test_the_study_without_a_gpu_can_be_run_once_its_archives_are_there(paper):
    settings = load("config.yaml", "cpu.yaml")
    for archive in ("cbis-ddsm", "inbreast"):
        settings["datasets"][archive]["root"] = paper["datasets"][archive]["root"]
    configuration.check(settings, SCHEMA)
