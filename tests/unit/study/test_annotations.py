"""What the config says of one's own annotated images."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from configs import SCHEMA, SCRIPTS, load, refusal

from mammoflow.study import configuration
from mammoflow.study.design import Study
from mammoflow.study.needs import Needs


@pytest.fixture
def own(tmp_path):
    """The config for own data, with files that look like it."""
    config = load("config.yaml", "own-data.yaml")
    config["datasets"]["own"]["root"] = str(tmp_path)
    (tmp_path / "annotations.json").touch()
    (tmp_path / "boxes.csv").touch()
    (tmp_path / "images.csv").touch()
    return config


def changed(config, **settings):
    annotations = config["datasets"]["own"]["annotations"] | settings
    config["datasets"]["own"]["annotations"] = {
        key: value for key, value in annotations.items() if value is not None
    }
    return config


def test_the_shipped_config_is_accepted(own):
    configuration.check(own, SCHEMA)
    assert load("own-data.yaml")["datasets"]["own"]["root"] == "data/own"
    configuration.check(changed(own, boxes="boxes.csv", masses="all", coordinates="edges"), SCHEMA)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"boxes": None},
            "Config key 'datasets.own.annotations' lacks 'boxes': expected the file of annotations",
        ),
        ({"masses": None}, "lacks 'masses': expected a list of the categories that are masses, or 'all'."),
        ({"masses": "mass"}, "expected a list of the categories that are masses, or 'all'; got \"mass\""),
        ({"masses": []}, "'datasets.own.annotations.masses'"),
        ({"masses": [1]}, "'datasets.own.annotations.masses"),
        ({"coordinates": "inches", "boxes": "boxes.csv"}, "'datasets.own.annotations.coordinates'"),
        ({"table": "x"}, "Unknown config key 'datasets.own.annotations.table'"),
        ({"coordinates": "edges"}, "those of COCO are known; expected none for 'annotations.json'"),
        ({"boxes": "boxes.csv"}, "lacks 'coordinates': a table of boxes does not tell what its numbers are"),
        (
            {"boxes": "boxes.csv", "coordinates": "edges", "images": None},
            "lacks 'images': a table of boxes does not tell whose images they are",
        ),
        ({"boxes": "none.json"}, "'datasets.own.annotations.boxes': there is no file 'none.json' under"),
        (
            {"images": "../images.csv"},
            "'datasets.own.annotations.images': there is no file '../images.csv' under",
        ),
        ({"boxes": "a{b}.json"}, "'datasets.own.annotations.boxes': expected a path without braces"),
    ],
)
def test_mistakes_are_refused_before_any_job(own, tmp_path, settings, said):
    (tmp_path.parent / "images.csv").touch()
    assert said in refusal(changed(own, **settings))


def test_annotations_belong_to_this_archive(own, paper):
    del own["datasets"]["own"]["annotations"]
    assert "expected the files of annotations for the archive 'annotated'" in refusal(own)
    paper["datasets"]["inbreast"]["annotations"] = {"boxes": "a.json", "masses": "all"}
    assert "and for no other; got some for 'inbreast'" in refusal(paper)


@pytest.mark.parametrize("images", ["image,patient\na,1\n", "image,patient,split\na,1,train\nb,2,\n"])
def test_an_official_split_may_be_that_of_coco_s_images(own, tmp_path, images):
    """The table need not have it; what is missing in both is refused by the job that divides the images."""
    own["datasets"]["own"]["folds"] = "official"
    (tmp_path / "images.csv").write_text(images)
    configuration.check(own, SCHEMA)
    configuration.check(changed(own, images=None), SCHEMA)


def test_the_index_is_made_again_when_a_file_or_the_mapping_changes(own, tmp_path):
    needs = Needs(Study(own), SCRIPTS, SCRIPTS.joinpath)
    wildcards = SimpleNamespace(dataset="own")
    assert list(map(Path, needs.release_files(wildcards))) == [
        tmp_path / "annotations.json",
        tmp_path / "images.csv",
    ]
    assert needs.index_settings(wildcards) == {"annotations": own["datasets"]["own"]["annotations"]}
    assert needs.index_settings(SimpleNamespace(dataset="inbreast")) == {}
