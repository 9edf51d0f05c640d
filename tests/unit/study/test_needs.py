import sys
from types import SimpleNamespace

import pytest
import trainings
from configs import SCHEMA, SCRIPTS, refusal
from snakemake.iocontainers import Namedlist

from mammoflow.networks import architectures
from mammoflow.study import configuration
from mammoflow.study.design import Study
from mammoflow.study.needs import Needs


def test_a_chain_starts_from_all_runs_of_the_link_before(paper):
    study = Study(paper)
    needs = Needs(study, SCRIPTS, SCRIPTS.joinpath)
    wildcards = SimpleNamespace(backbone="inceptionv3", init="imagenet+cbis-ddsm")
    assert needs.initial_metadata(wildcards) == [
        f"results/models/cbis-ddsm/inceptionv3/imagenet/fold-0/run-{run}/model.json" for run in range(5)
    ]
    wildcards = SimpleNamespace(backbone="vgg16", init="imagenet")
    assert needs.initial_weights(wildcards) == ["results/weights/imagenet/vgg16.h5"]
    assert needs.initial_metadata(wildcards) == ["results/weights/imagenet/vgg16.json"]
    wildcards = SimpleNamespace(backbone="vgg16", init="random")
    assert needs.initial_weights(wildcards) == []


def test_a_longer_cascade_resolves_through_any_data_sets(paper):
    phantoms = {"cohort": "film", "patients": 8, "detector": [512, 512], "pixel_mm": 0.2}
    paper["datasets"]["other"] = paper["datasets"]["cbis-ddsm"] | {"phantoms": phantoms, "label": "other"}
    del paper["datasets"]["other"]["root"]
    paper["experiments"]["detection"]["initializations"] = ["random+other+cbis-ddsm"]
    configuration.check(paper, SCHEMA)
    study = Study(paper)
    needs = Needs(study, SCRIPTS, SCRIPTS.joinpath)
    assert set(study.chains) == {
        "random",
        "imagenet",
        "random+other",
        "random+other+cbis-ddsm",
    }
    wildcards = SimpleNamespace(backbone="inceptionv3", init="random+other+cbis-ddsm")
    assert needs.initial_metadata(wildcards) == [
        "results/models/cbis-ddsm/inceptionv3/random+other/fold-0/run-0/model.json"
    ]
    assert study.used_datasets == ["cbis-ddsm", "inbreast", "other"]


def test_settings_of_one_network_are_laid_over_the_common_ones(demo):
    study = Study(demo)
    needs = Needs(study, SCRIPTS, SCRIPTS.joinpath)
    compact = needs.training_of_model(SimpleNamespace(backbone="compact", init="random"))
    resnet50 = needs.training_of_model(SimpleNamespace(backbone="resnet50", init="random"))
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
    study = Study(paper)
    needs = Needs(study, SCRIPTS, SCRIPTS.joinpath)
    assert needs.own_splits(SimpleNamespace(dataset="inbreast")) == [str(tmp_path / "own.csv")]
    assert needs.own_splits(SimpleNamespace(dataset="cbis-ddsm")) == []


def test_boxes_of_others_are_evaluated_after_ours(paper, tmp_path):
    (tmp_path / "theirs.csv").write_text("image_id,y0,x0,y1,x1,score\n")
    paper["detection"]["external"] = {"theirs": {"label": "Others", "path": str(tmp_path / "theirs.csv")}}
    configuration.check(paper, SCHEMA)
    study = Study(paper)
    needs = Needs(study, SCRIPTS, SCRIPTS.joinpath)
    assert study.evaluated_chains == [*study.detection_chains, "inbreast/external/theirs"]
    assert study.labels["external"] == {"theirs": "Others"}
    assert needs.external_file(SimpleNamespace(external="theirs")) == str(tmp_path / "theirs.csv")


def test_a_new_network_is_one_module(demo, tmp_path, monkeypatch):
    monkeypatch.setattr(architectures, "__path__", [*architectures.__path__])
    demo["experiments"]["classification"]["backbones"] = ["own", "compact"]
    assert "expected one of the networks compact, inceptionv3, residual, resnet50, vgg16; got" in refusal(
        demo
    )
    trainings.add_network(tmp_path)
    demo["training_of"]["own"] = {"batch": 7}
    try:
        configuration.check(demo, SCHEMA)
        study = Study(demo)
        needs = Needs(study, SCRIPTS, SCRIPTS.joinpath)
        assert study.backbones == ["own", "compact"]
        assert study.labels["backbones"]["own"] == "our own"
        assert needs.training_of_model(SimpleNamespace(backbone="own", init="random"))["batch"] == 7
    finally:
        architectures.network.cache_clear()
        sys.modules.pop("mammoflow.networks.architectures.own")


def test_an_ablation_changes_its_setting_and_no_other(paper):
    study = Study(paper)
    needs = Needs(study, SCRIPTS, SCRIPTS.joinpath)

    def settings(init):
        wildcards = SimpleNamespace(backbone="inceptionv3", init=init)
        return (
            needs.training_of_model(wildcards)["layers"],
            needs.normalization(wildcards),
            needs.stride(wildcards),
            needs.evaluation(wildcards)["iou"],
        )

    chain = "imagenet+cbis-ddsm"
    assert settings(chain) == ("all", "gcn", 56, 0.2)
    assert settings(f"{chain}@shallow") == ("head", "gcn", 56, 0.2)
    assert settings(f"{chain}@scaling") == ("all", "scale", 56, 0.2)
    assert settings(f"{chain}@stride-28") == ("all", "gcn", 28, 0.2)
    assert settings(f"{chain}@iou-0.5") == ("all", "gcn", 56, 0.5)


@pytest.mark.parametrize(("shards", "asked", "jobs"), [(16, 1, 1), (16, 5, 5), (3, 3, 3), (3, 7, 3)])
def test_every_shard_of_the_images_is_mapped_in_one_job(paper, shards, asked, jobs):
    paper["datasets"]["inbreast"]["shards"] = shards
    paper["detection"]["shards"] = asked
    needs = Needs(Study(paper), SCRIPTS, SCRIPTS.joinpath)
    found = [
        needs.mapped_shards(SimpleNamespace(dataset="inbreast", shard=f"{number}")) for number in range(jobs)
    ]
    assert [shard for each in found for shard in each] == list(range(shards))
    assert max(map(len, found)) - min(map(len, found)) <= 1
    with pytest.raises(ValueError, match=f"expected one of {jobs} map jobs, from 0, got {jobs}"):
        needs.mapped_shards(SimpleNamespace(dataset="inbreast", shard=f"{jobs}"))


def test_jobs_of_a_model_name_images_only_where_they_cannot_see_them(paper):
    paper["datasets"]["inbreast"]["shards"] = 3
    paper["detection"]["shards"] = 2
    every = [f"results/images/inbreast/shard-{shard}.h5" for shard in range(3)]
    here, apart = (Needs(Study(paper), SCRIPTS, SCRIPTS.joinpath, shared) for shared in (True, False))
    of_dataset = SimpleNamespace(dataset="inbreast")
    jobs = [SimpleNamespace(dataset="inbreast", shard=f"{number}") for number in range(2)]
    assert here.stores_to_complete(of_dataset) == apart.stores_to_fetch(of_dataset) == every
    assert here.stores_to_fetch(of_dataset) == apart.stores_to_complete(of_dataset) == []
    assert [here.mapped_stores_to_fetch(job) for job in jobs] == [[], []]
    # Every shard is fetched once for each model and fold.
    assert [store for job in jobs for store in apart.mapped_stores_to_fetch(job)] == every
    assert here.stores(of_dataset) == apart.stores(of_dataset) == every
    some = Namedlist(fromdict={"images_store": "results/images/inbreast", "mapped_shards": [1, 2]})
    assert here.stores_not_named(some) == every[1:]
    all_of_them = Namedlist(fromdict={"images_store": "results/images/inbreast", "shards": 3})
    assert here.stores_not_named(all_of_them) == every
    assert apart.stores_not_named(all_of_them) == here.stores_not_named(Namedlist()) == []


def test_candidates_are_those_of_the_nearest_model_that_has_them(paper):
    study = Study(paper)
    needs = Needs(study, SCRIPTS, SCRIPTS.joinpath)
    folder = "results/candidates/inbreast/inceptionv3/imagenet+cbis-ddsm"

    def first(name):
        wildcards = SimpleNamespace(
            dataset="inbreast", backbone="inceptionv3", init=f"imagenet+cbis-ddsm{name}", fold="0", shard="0"
        )
        found = needs.candidate_settings(wildcards)
        assert needs.map_of_shard(wildcards) == needs.maps(wildcards)[0]
        return needs.candidates(wildcards)[0], needs.scoring(wildcards), found["smoothing"]

    assert first("") == (f"{folder}/fold-0.csv", "learnt", 0.6)
    assert first("@iou-0.5") == first("")
    assert first("@half-height") == (f"{folder}@half-height/fold-0.csv", "peak", 0)


def test_only_another_normalization_goes_back_through_the_chain(paper):
    study = Study(paper)
    needs = Needs(study, SCRIPTS, SCRIPTS.joinpath)

    def starts(init):
        return needs.initial_metadata(SimpleNamespace(backbone="inceptionv3", init=init))

    assert starts("imagenet+cbis-ddsm@shallow") == starts("imagenet+cbis-ddsm")
    place = "results/models/cbis-ddsm/inceptionv3/imagenet@scaling/fold-0/run-0/model.json"
    assert starts("imagenet+cbis-ddsm@scaling") == [place]
    assert starts("imagenet@scaling") == ["results/weights/imagenet/inceptionv3.json"]


def test_weights_are_needed_again_only_for_candidates_at_their_own_scale(paper):
    paper["experiments"]["ablations"] = [{"name": "own-scale", "own_scale": [2]}]
    needs = Needs(Study(paper), SCRIPTS, SCRIPTS.joinpath)

    def weights(init):
        return needs.weights_at_own_scale(
            SimpleNamespace(dataset="inbreast", backbone="inceptionv3", init=init, fold="3")
        )

    assert weights("imagenet") == []
    assert weights("imagenet@own-scale") == [
        "results/models/inbreast/inceptionv3/imagenet/fold-3/run-0/model.weights.h5"
    ]


def test_maps_are_made_by_the_last_training_of_each_run(paper):
    found = {"images": 300, "per_image": 5, "probability": 0.5}
    paper["experiments"]["detection"]["runs"] = 2

    def needed(init, study_wide=None, ablation=found):
        paper["detection"]["hard_negatives"] = study_wide
        ablations = [{"name": "hard", "hard_negatives": ablation}, {"name": "shallow", "layers": "head"}]
        paper["experiments"]["ablations"] = ablations
        needs = Needs(Study(paper), SCRIPTS, SCRIPTS.joinpath)
        wildcards = SimpleNamespace(dataset="inbreast", backbone="inceptionv3", init=init, fold="3", run="1")
        first = needs.first_training("model.json")(wildcards)
        return needs.runs_of_fold("model.json")(wildcards), first, needs.hard_negatives(wildcards)

    def places(folder, init, runs):
        return [f"results/{folder}/inbreast/inceptionv3/{init}/fold-3/run-{n}/model.json" for n in runs]

    chain, hard, shallow = (f"imagenet+cbis-ddsm{name}" for name in ("", "@hard", "@shallow"))
    assert needed(chain) == (places("models", chain, [0, 1]), places("models", chain, [1]), None)
    assert needed(hard) == (places("retrained", hard, [0, 1]), places("models", chain, [1]), found)
    # Ablations that begin anew train once a fold.
    assert needed(shallow, found) == (
        places("retrained", shallow, [0]),
        places("models", shallow, [1]),
        found,
    )
    assert needed(chain, found)[0] == places("retrained", chain, [0, 1])
    assert needed(hard, found, ablation=None)[0] == places("models", chain, [0, 1])


def test_local_contrast_has_a_bank_of_its_own(paper):
    paper["experiments"]["ablations"] = [{"name": "local", "normalization": "local"}]
    needs = Needs(Study(paper), SCRIPTS, SCRIPTS.joinpath)

    def bank(init):
        return needs.bank(SimpleNamespace(dataset="inbreast", backbone="inceptionv3", init=init, fold="3"))

    assert bank("imagenet+cbis-ddsm") == "results/patches/inbreast/stored.h5"
    assert bank("imagenet+cbis-ddsm@local") == "results/patches/inbreast/local.h5"


def test_a_networks_weights_depend_on_its_own_file_only(paper):
    entry = {"path": "a.h5", "sha256": "0" * 64}
    paper["weights"]["imagenet"] = {
        "label": "x",
        "source": "files",
        "files": {"vgg16": entry, "resnet50": entry},
    }
    wildcards = SimpleNamespace(weights="imagenet", backbone="vgg16")
    assert Needs(Study(paper), SCRIPTS, SCRIPTS.joinpath).weights_source(wildcards) == {
        "source": "files",
        "files": {"vgg16": entry},
    }


def test_a_release_may_lie_in_the_folders_its_download_made(paper, tmp_path):
    (tmp_path / "download").mkdir()
    (tmp_path / "inbreast").rename(tmp_path / "download" / "INbreast Release 1.0")
    paper["datasets"]["inbreast"]["root"] = str(tmp_path / "download")
    configuration.check(paper, SCHEMA)
    table, *_ = Needs(Study(paper), SCRIPTS, SCRIPTS.joinpath).release_files(
        SimpleNamespace(dataset="inbreast")
    )
    assert table.endswith("INbreast Release 1.0/INbreast.csv")


def test_the_training_data_of_a_model_are_those_of_its_chain_with_their_licences(paper):
    needs = Needs(Study(paper), SCRIPTS, SCRIPTS.joinpath)
    wildcards = SimpleNamespace(dataset="inbreast", backbone="inceptionv3", init="imagenet+cbis-ddsm")
    found = needs.training_data(wildcards)
    assert [data["name"] for data in found] == ["imagenet", "cbis-ddsm", "inbreast"]
    assert [data["share"] for data in found] == [True, True, False]
    wildcards.init = "random"
    assert [data["name"] for data in needs.training_data(wildcards)] == ["inbreast"]
    own = {"data": "our INbreast", "terms": "agreed", "share": True}
    paper["bundles"]["licences"] = {"inbreast": own}
    assert needs.training_data(wildcards) == [{"name": "inbreast", **own}]


def test_phantoms_are_free_whatever_archive_they_look_like(demo):
    study = Study(demo)
    needs = Needs(study, SCRIPTS, SCRIPTS.joinpath)
    for chain in study.detection_chains:
        dataset, backbone, init = chain.split("/")
        wildcards = SimpleNamespace(dataset=dataset, backbone=backbone, init=init)
        assert all(data["share"] for data in needs.training_data(wildcards))


def test_a_model_file_has_the_last_training_of_every_run(paper):
    wildcards = SimpleNamespace(dataset="inbreast", backbone="inceptionv3", init="imagenet")
    needs = Needs(Study(paper), SCRIPTS, SCRIPTS.joinpath)
    assert needs.runs_that_detect("model.json")(wildcards) == [
        f"results/models/inbreast/inceptionv3/imagenet/fold-{fold}/run-0/model.json" for fold in range(5)
    ]
    paper["detection"]["hard_negatives"] = {"images": 5, "per_image": 2, "probability": 0.5}
    assert needs.runs_that_detect("model.json")(wildcards)[4].startswith("results/retrained/inbreast/")
    assert needs.scores(wildcards)[1] == "results/candidates/inbreast/inceptionv3/imagenet/fold-1.json"


def test_a_fold_and_names_of_licences_that_there_are_not(paper):
    paper["bundles"]["fold"] = 5
    assert refusal(paper) == (
        "Config key 'bundles.fold': expected 'best' or a fold of 'inbreast' ('0', '1', '2', '3', '4'); got 5."
    )
    paper["bundles"] |= {"fold": 4, "licences": {"embed": {"data": "EMBED", "terms": "ask", "share": False}}}
    assert "Config key 'bundles.licences': expected names among 'cbis-ddsm'" in refusal(paper)
