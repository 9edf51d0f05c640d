"""Jobs that a dry run lists, and configs that are rejected before it."""

import re
from collections import Counter

import pytest

pytestmark = pytest.mark.workflow

PRESENTED = (
    {f"table_{n}": 1 for n in (*range(1, 5), "ceilings", "protocol", "comparison", "ablations")}
    | {f"figure_{n}": 1 for n in (*range(1, 6), "scores", "errors")}
    | {"reconciliation": 1, "breast_regions": 2, "augmented_patches": 2, "page": 1, "interactive_figures": 1}
)


@pytest.mark.usefixtures("releases")
def test_the_papers_study(project):
    assert project.planned(configfile=None) == PRESENTED | {
        "index": 2,
        "images": 2 * 16,
        "splits": 2,
        "bank": 2 + 2,
        "weights": 3,
        # Ablations: two strides, an IoU, candidates, and three trainings, two through the whole chain.
        "train": 3 * 2 * 5 + 2 * 5 + 3 * 5 + 2,
        "classify": 3 * 2 + 2 + 3,
        "mpm": 2 * 5 + 5 * 5,
        "detections": 2 * 5 + 5 * 5,
        "candidates": 2 * 5 + 6 * 5,
        "scores": 2 * 5 + 6 * 5,
        "contours": 1,
        "froc": 2 + 7,
        "cases": 1,
        "review_images": 16,
        "review": 2,
        "bundle": 2,
    }


def test_the_demo(project):
    assert project.planned(configfile="config/demo.yaml") == PRESENTED | {
        "phantoms": 2,
        "index": 2,
        "images": 2 * 2,
        "splits": 2,
        "bank": 2,
        "pretrain": 4,
        # Transfer: film after digital, and a network of both for each fold; the others are there.
        "train": (3 + 2) * 2 + 2 * 3 + 1 + 3,
        "classify": 4 * 2 + 2 + 5,
        # Transfer: four models on the film, two on the three folds of the digital images.
        "mpm": 2 * 3 + 4 + 2 * 3,
        "detections": 2 * 3 + 4 + 2 * 3,
        "candidates": 2 * 3 + 3 + 4 + 2 * 3,
        "scores": 2 * 3 + 3 + 4 + 2 * 3,
        "contours": 2,
        "froc": 2 + 2 + 6,
        "cases": 1,
        "review_images": 2,
        "review": 2,
        "bundle": 2 + 1,
        "table_transfer": 1,
        "figure_transfer": 1,
    }


@pytest.mark.usefixtures("releases")
def test_many_shards_and_chains(project):
    # One table of what was stored stands for those of all shards: a plan's time is its number of inputs.
    weights = {f"weights-{number}": {"label": f"{number}", "source": "keras"} for number in range(20)}
    chains = [f"{name}+cbis-ddsm" for name in weights]
    out = project.run(
        "--dry-run",
        configfile=None,
        settings={
            "datasets": {"inbreast": {"shards": 100}},
            "weights": weights,
            "experiments": {"detection": {"initializations": chains}, "ablations": []},
        },
    )
    inputs = re.findall(r"^rule (\w+):\n +input: (.*)$", out, re.MULTILINE)
    jobs = Counter(rule for rule, _ in inputs)
    expected = {"images": 16 + 100, "bank": 2, "mpm": 20 * 5, "froc": 20, "train": 30 + 20 + 20 * 5}
    expected |= {"review_images": 100, "review": 20}
    assert {rule: jobs[rule] for rule in expected} == expected
    naming = [rule for rule, files in inputs if "results/images/inbreast/shard-99.csv" in files]
    assert sorted(naming) == ["breast_regions", "splits"]
    naming = {rule for rule, files in inputs if "results/images/inbreast/shard-99.h5" in files}
    assert naming == {"splits", "bank", "breast_regions", "review_images", "figure_1", "figure_4"}


@pytest.mark.usefixtures("releases")
def test_maps_and_boxes_are_divided_by_shards(project):
    settings = {"datasets": {"inbreast": {"shards": 10}}, "detection": {"shards": 4}}
    out = project.run("--dry-run", configfile=None, settings=settings)
    inputs = re.findall(r"^rule (\w+):\n +input: (.*)$", out, re.MULTILINE)
    jobs = Counter(rule for rule, _ in inputs)
    mapped, scored = 4 * 7 * 5, 8 * 5
    expected = {"mpm": mapped, "detections": mapped, "candidates": 4 * scored, "scores": scored}
    assert {rule: jobs[rule] for rule in expected} == expected


@pytest.mark.usefixtures("releases")
def test_a_study_without_ablations_has_no_table_of_them(project):
    planned = project.planned(configfile=None, settings={"experiments": {"ablations": []}})
    assert "table_ablations" not in planned
    assert planned["mpm"] == 2 * 5


@pytest.mark.usefixtures("releases")
def test_hard_negatives_add_a_second_training_and_change_nothing_else(project):
    found = {"images": 300, "per_image": 5, "probability": 0.5}
    without = project.planned(configfile=None)
    # Two models and three ablations that train; those of the map, its boxes and the IoU use the model's.
    everywhere = project.planned(configfile=None, settings={"detection": {"hard_negatives": found}})
    assert everywhere == without | {"hard_negatives": 5 * 5, "retrain": 5 * 5}
    ablations = {"ablations": [{"name": "hard", "hard_negatives": found}]}
    one = project.planned(configfile=None, settings={"experiments": ablations})
    none = project.planned(configfile=None, settings={"experiments": {"ablations": []}})
    of_one = ("hard_negatives", "retrain", "mpm", "detections", "candidates", "scores")
    more = {rule: none.get(rule, 0) + 5 for rule in of_one}
    assert one == none | more | {"froc": none["froc"] + 1, "table_ablations": 1}


@pytest.mark.usefixtures("releases")
def test_a_cascade_over_more_data_sets(project):
    third = {
        "label": "third",
        "archive": "inbreast",
        "root": "data/third",
        "acquisition": "digital",
        "resolution": "original",
        "shards": 1,
        "folds": 3,
        "negatives": "normal-images",
    }
    chain = {"detection": {"initializations": ["imagenet+cbis-ddsm+third"]}}
    out = project.run(
        "--dry-run", configfile=None, settings={"datasets": {"third": third}, "experiments": chain}
    )
    assert len(set(re.findall(r"results/models/third/inceptionv3/imagenet\+cbis-ddsm/fold-\d", out))) == 3
    assert re.search(r"results/models/inbreast/inceptionv3/imagenet\+cbis-ddsm\+third/fold-4/run-0", out)


@pytest.mark.usefixtures("releases")
def test_boxes_of_others(project, tmp_path):
    boxes = tmp_path / "theirs.csv"
    boxes.touch()
    external = {"theirs": {"label": "Others", "path": str(boxes)}}
    planned = project.planned(configfile=None, settings={"detection": {"external": external}})
    assert planned["froc_external"] == 1
    assert planned["froc"] == 2 + 7


@pytest.mark.usefixtures("releases")
@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ({"trainig": {}}, "Unknown config key 'trainig': did you mean 'training'?"),
        ({"patches": {"stride": -56}}, "Config key 'patches.stride': expected the step between windows"),
        (
            {"detection": {"hard_negatives": {"images": 300, "per_image": 0, "probability": 0.5}}},
            "Config key 'detection.hard_negatives.per_image': expected the largest number of windows",
        ),
        (
            {"datasets": {"inbreast": {"root": "no/such"}}},
            "Config key 'datasets.inbreast.root': expected a folder",
        ),
        (
            {"detection": {"external": {"theirs": {"label": "Others", "path": "no/such.csv"}}}},
            "Config key 'detection.external.theirs.path': expected a CSV file or COCO results; found nothing",
        ),
        (
            {"weights": {"imagenet": {"source": "files", "files": {}}}},
            "Config key 'weights.imagenet.files': expected an entry for 'vgg16'",
        ),
    ],
)
def test_refused_in_one_sentence_before_any_job(project, setting, sentence):
    ran = project.snakemake(configfile=None, settings=setting)
    assert ran.returncode != 0
    said = [line for line in (ran.stdout + ran.stderr).splitlines() if "onfig key" in line]
    assert len(said) == 1
    assert said[0].startswith(sentence)
    assert "Traceback" not in ran.stderr
    assert not (project.folder / "results").exists()


def test_a_missing_data_root_is_named(project):
    ran = project.snakemake(configfile=None)
    assert ran.returncode != 0
    assert "Config key 'datasets.cbis-ddsm.root': expected a folder that holds cbis-ddsm" in ran.stderr


def test_lint(project):
    ran = project.snakemake("--lint", configfile="config/demo.yaml")
    assert ran.returncode == 0, ran.stdout + ran.stderr
