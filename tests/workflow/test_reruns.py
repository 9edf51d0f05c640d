"""An edit re-runs exactly the jobs that depend on it, as stated in docs/reruns.md."""

import os
import re
import shutil
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch

import numpy as np
import pandas as pd
import pydicom
import pytest
import yaml
from configs import SCRIPTS
from project import REPOSITORY, TINY, Project
from rules import rules
from weights_files import write_notop

from mammoflow.base import storage
from mammoflow.base.contracts.index import IMAGES, LESIONS
from mammoflow.base.contracts.splits import SPLITS
from mammoflow.base.contracts.stored import STORED
from mammoflow.networks.architectures import network
from mammoflow.patches import bank
from mammoflow.study import sources

pytestmark = pytest.mark.workflow

DOCUMENT = (REPOSITORY / "docs/reruns.md").read_text()

# ---- what the tiny study consists of -------------------------------------------------------------------
#
# A node is a rule and its wildcards, without shards, networks, folds and runs: an edit concerns all of them.

MODELS = {
    "film": ["random", "natural", "natural@three"],
    "digital": ["natural", "natural+film", "natural+film@three"],
}
COMPARED = ["natural", "natural+film"]
SHOWN = "natural+film"
ABLATED = [SHOWN, f"{SHOWN}@iou-0.5", f"{SHOWN}@three"]


def graph():
    """Nodes that use what a node makes, as the protocol has it."""
    after = defaultdict(set)

    def use(before, *users):
        after[before].update(users)

    for data, models in MODELS.items():
        use(f"phantoms {data}", f"index {data}")
        use(f"index {data}", f"images {data}")
        use(f"images {data}", f"splits {data}", f"breast_regions {data}")
        use(f"splits {data}", f"bank {data}")
        use(f"bank {data}", "table_1", f"augmented_patches {data}", *(f"train {data} {m}" for m in models))
    for model in ("natural", "natural@three"):
        use("pretrain natural", f"train film {model}")
        use(f"train film {model}", "train digital " + model.replace("natural", "natural+film"))
    use("pretrain natural", "train digital natural")
    after["weights natural"] = after["pretrain natural"]  # the same file, where it is a user's

    for data, models in MODELS.items():
        for model in models:
            if "@" not in model:
                use(f"train {data} {model}", "interactive_figures")
    for model in ("random", "natural"):
        use(f"train film {model}", f"classify film {model}", "figure_2")
        use(f"classify film {model}", "table_2", "figure_scores")
    for model in MODELS["digital"]:
        use(f"train digital {model}", f"classify digital {model}", f"mpm digital {model}")
        use(f"mpm digital {model}", f"detections digital {model}", f"candidates digital {model}")
        use(f"candidates digital {model}", f"scores digital {model}")
        for boxes in ("detections", "scores"):
            use(f"{boxes} digital {model}", f"froc digital {model}")
    for boxes in ("detections", "scores"):
        use(f"{boxes} digital {SHOWN}", f"froc digital {SHOWN}@iou-0.5")
    for model in COMPARED:
        use(f"scores digital {model}", f"bundle digital {model}")
        use(f"froc digital {model}", f"bundle digital {model}")
    use("index digital", "contours digital")
    for model in {*COMPARED, *ABLATED}:
        use("contours digital", f"froc digital {model}")

    use("splits digital", "cases digital")
    use("cases digital", "review_images digital")
    for model in COMPARED:
        use("review_images digital", f"review digital {model}")
        use(f"froc digital {model}", f"review digital {model}")

    for model in COMPARED:
        use(f"classify digital {model}", "table_3", "figure_scores")
        use(
            f"froc digital {model}",
            "interactive_figures",
            "table_4",
            "table_ceilings",
            "table_comparison",
            "figure_3",
        )
    use(f"froc digital {SHOWN}", "table_protocol", "figure_1", "figure_4", "figure_5", "figure_errors")
    use(f"classify digital {SHOWN}", "figure_errors")
    for model in ABLATED:
        use(f"froc digital {model}", "table_ablations")
    for model in (SHOWN, f"{SHOWN}@three"):
        use(f"classify digital {model}", "table_ablations")

    use("table_1", "reconciliation")
    for node in [node for users in after.values() for node in users if re.match(PRESENTED, node)]:
        use(node, "page")
    return after


PRESENTED = "table|figure|reconciliation|breast|augmented"
AFTER = graph()
NODES = {*AFTER, *(node for users in AFTER.values() for node in users)}


def matches(node, pattern):
    """Whether a node is meant by a pattern of rules, or of nodes."""
    return fnmatch(node, pattern) or fnmatch(node.split()[0], pattern)


def with_all_that_follows(patterns, only=None):
    """Nodes that patterns mean, of one data set where one is named, and all that use them."""
    others = set(MODELS) - {only} if only else set()
    queue = [
        node
        for node in NODES
        if any(matches(node, pattern) for pattern in patterns) and not others & set(node.split())
    ]
    found = set(queue)
    while queue:
        new = AFTER[queue.pop()] - found
        found |= new
        queue += new
    return found


def planned(project, *arguments, **options):
    """Nodes that a dry run lists."""
    left_out = ("backbone", "contrast", "label", "fold", "run", "shard")
    return {
        " ".join([rule, *(value for key, value in wildcards.items() if key not in left_out)])
        for rule, wildcards in project.jobs(*arguments, **options)
        if rule != "all"
    }


# ---- the tables of the document ------------------------------------------------------------------------


def table(heading):
    """Rows of the table under a heading: what changes, where it begins, whether it trains."""
    section = DOCUMENT.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| `")]
    return {
        change: (re.findall(r"`([^`]+)`", begins), trains)
        for changes, begins, trains in rows
        for change in re.findall(r"`([^`]+)`", changes)
    }


def test_the_document_names_rules():
    for heading in ("A changed setting", "An edited module"):
        for begins, trains in table(heading).values():
            assert all(any(fnmatch(rule, pattern) for rule in rules()) for pattern in begins)
            assert trains in ("yes", "no")


def check(found, expected, trains):
    assert found == expected
    assert any(re.match("(re)?train ", node) for node in found) == (trains == "yes")


# ---- settings --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A changed setting: the data set that it concerns, and in what the tiny study departs from its row."""

    settings: dict
    only: str | None = None
    begins: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    new: tuple[str, ...] = ()


def of(name, **settings):
    return {"datasets": {name: settings}}


def evaluation(**settings):
    return {"detection": {"evaluation": settings}}


FILES = {"source": "files", "files": {"compact": {"path": "own.h5", "sha256": "0" * 64}}}

SETTINGS = {
    "seed": Case({"seed": 2}),
    "datasets.*.phantoms": Case(of("digital", phantoms={"patients": 13}), only="digital"),
    "datasets.*.archive": Case(of("digital", archive="vindr-mammo"), only="digital"),
    "datasets.*.acquisition": Case(of("film", acquisition="digital"), only="film"),
    "datasets.*.resolution": Case(of("digital", resolution={"mm": 0.6}), only="digital"),
    "datasets.*.shards": Case(of("digital", shards=3), only="digital"),
    "datasets.*.folds": Case(of("digital", folds=4), only="digital"),
    "datasets.*.validation_fraction": Case(of("film", validation_fraction=0.4), only="film"),
    "datasets.*.splits": Case(of("digital", splits="own.csv"), only="digital"),
    "datasets.*.negatives": Case(of("digital", negatives="mass-images"), only="digital"),
    "datasets.*.label": Case(of("digital", label="renamed"), only="digital"),
    "patches.window": Case({"patches": {"window": 52}}, gone=("weights natural",)),
    "patches.stride": Case({"patches": {"stride": 12}}),
    "patches.edge": Case({"patches": {"edge": "inside"}}),
    "patches.label": Case({"patches": {"label": "fraction"}}),
    # Its ablation changes two settings instead of three, so that its chain begins as the others do.
    "normalization": Case({"normalization": "scale"}, gone=("train film natural@three",)),
    "weights.*.source": Case({"weights": {"natural": FILES}}),
    "weights.*.steps": Case({"weights": {"natural": {"steps": 3}}}),
    "weights.*.label": Case({"weights": {"natural": {"label": "renamed"}}}),
    "training.patience": Case({"training": {"patience": 2}}),
    "training_of.*": Case({"training_of": {"compact": {"epochs": 3}}}),
    "training.precision": Case({"training": {"precision": "float32"}}),
    "training.batch_normalization_momentum": Case({"training": {"batch_normalization_momentum": 0.5}}),
    "training.augmentation": Case({"training": {"augmentation": {"flip": False}}}),
    "inference.precision": Case({"inference": {"precision": "float32"}}),
    # An ablation has a step, or an IoU, of its own.
    "detection.stride": Case(
        {"detection": {"stride": 16}},
        begins=("mpm digital natural", "mpm digital natural+film", "figure_1", "table_ablations"),
    ),
    "detection.levels": Case({"detection": {"levels": 50}}),
    "detection.shards": Case({"detection": {"shards": 2}}),
    "bundles.fold": Case({"bundles": {"fold": 0}}),
    "bundles.images": Case({"bundles": {"images": 5}}),
    "bundles.licences": Case(
        {"bundles": {"licences": {"film": {"data": "ours", "terms": "free", "share": True}}}},
        begins=("bundle digital natural+film",),
    ),
    "detection.drawn": Case({"detection": {"drawn": "paper"}}),
    "detection.hard_negatives": Case(
        {"detection": {"hard_negatives": {"images": 5, "per_image": 2, "probability": 0.5}}},
        new=tuple(
            f"{rule} digital {model}" for rule in ("hard_negatives", "retrain") for model in MODELS["digital"]
        ),
    ),
    "detection.ensemble": Case({"detection": {"ensemble": {"mirrored": True}}}),
    "detection.candidates.learning": Case({"detection": {"candidates": {"learning": {"images": 5}}}}),
    "detection.candidates.scoring": Case({"detection": {"candidates": {"scoring": "peak"}}}),
    "detection.candidates": Case({"detection": {"candidates": {"smoothing": 1}}}),
    "detection.overlays": Case({"detection": {"overlays": {"fpi": 2}}}),
    "detection.evaluation.iou": Case(
        evaluation(iou=0.3),
        begins=tuple(f"froc digital {model}" for model in ("natural", "natural+film", "natural+film@three")),
    ),
    "detection.evaluation.size_strata_cm2": Case(evaluation(size_strata_cm2=[1, 3])),
    "detection.evaluation.mode": Case(evaluation(mode="candidate")),
    "detection.evaluation.bootstrap": Case(evaluation(bootstrap=60)),
    "detection.external": Case(
        {"detection": {"external": {"theirs": {"label": "theirs", "path": "own.csv"}}}},
        new=("froc_external digital theirs",),
    ),
    "experiments.classification.runs": Case(
        {"experiments": {"classification": {"runs": 3}}}, begins=("train film random", "train film natural")
    ),
    "experiments.classification.initializations": Case(
        {"experiments": {"classification": {"initializations": ["natural"]}}}
    ),
    "experiments.ablations": Case({"experiments": {"ablations": [{"name": "iou-0.5", "iou": 0.5}]}}),
}


@pytest.fixture
def own(finished):
    """The files that settings name; of the weights, a plan reads the shapes and no more."""
    table, weights = (finished.folder / "tiny" / name for name in ("own.csv", "own.h5"))
    table.touch()
    layers, size = network("compact").weights
    write_notop(weights, [(size - layers + 1,), *[(1,)] * (layers - 1)])
    yield
    table.unlink()
    weights.unlink()


def test_every_setting_of_the_document_is_tried():
    # See test_paths_of_a_user, test_own_data.py, and test_only_maps_depend_on_how_they_are_computed.
    apart = {"datasets.*.root", "datasets.*.annotations", "weights.*.files", "inference.maps"}
    assert set(table("A changed setting")) == {*SETTINGS, *apart}


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize("setting", SETTINGS)
def test_a_changed_setting(finished, setting):
    begins, trains = table("A changed setting")[setting]
    case = SETTINGS[setting]
    assert {pattern.split()[0] for pattern in case.begins} <= set(begins)
    expected = with_all_that_follows(case.begins or begins, case.only)
    expected |= {"page", *case.new}
    found = planned(finished, settings=case.settings)
    check(found, expected - set(case.gone), trains)


def test_only_maps_depend_on_how_they_are_computed():
    """Not tried with a plan, because the normalisation of the tiny study does not allow dense maps."""
    readers = [name for name, text in rules().items() if '["inference"]["maps"]' in text]
    begins, trains = table("A changed setting")["inference.maps"]
    # The last is for studies with hard negatives only, which the page says below the table.
    assert (readers, trains) == ([*begins, "hard_negatives"], "no")


def test_settings_that_are_said_again_rerun_nothing(finished):
    said = yaml.safe_load((finished.folder / "config/config.yaml").read_text())["detection"]["evaluation"]
    said |= yaml.safe_load(TINY.read_text())["detection"]["evaluation"]
    training = dict(reversed(yaml.safe_load(TINY.read_text())["training"].items()))
    settings = {"training": training, "detection": {"evaluation": dict(reversed(said.items()))}}
    assert planned(finished, settings=settings) == set()


def test_an_image_that_is_not_used_reruns_nothing(finished):
    assert planned(finished, settings={"container": "mammoflow.sif"}) == set()


def test_more_runs_train_only_what_is_new(finished):
    jobs = finished.jobs(settings=SETTINGS["experiments.classification.runs"].settings)
    film = [job for rule, job in jobs if rule == "train" and job["dataset"] == "film"]
    assert {job["run"] for job in film} == {"2"}


# ---- modules ---------------------------------------------------------------------------------------------

MODULES = table("An edited module")
OF_ONE = {"mammoflow/archives/inbreast.py": "digital"}


@contextmanager
def edited(project, module, text="\nEDITED = True\n"):
    file = f"workflow/scripts/{module}"
    with project.edited(file):
        with open(project.folder / file, "a") as opened:
            opened.write(text)
        yield project.folder / file


@pytest.mark.parametrize("module", MODULES)
def test_an_edited_module(finished, module):
    begins, trains = MODULES[module]
    expected = with_all_that_follows(begins, OF_ONE.get(module)) - {"weights natural"}
    with edited(finished, module):
        check(planned(finished), expected, trains)


def test_every_rule_tells_its_code():
    for name, text in rules().items():
        (script,) = re.findall(r'"\.\./scripts/(\w+\.py)"', text)
        assert f'*NEEDS.code("{script}"),' in text, name
        modules = " ".join(sources.listed(SCRIPTS, SCRIPTS / script))
        for package, function in (("networks/architectures", "network_code"), ("archives", "archive_code")):
            imported = f"mammoflow/{package}/__init__.py" in modules
            assert imported == (f"=NEEDS.{function}," in text), name


def test_an_older_file_than_the_results_is_an_edit(finished):
    """As an archive unpacked, or files copied with their times, leave it."""
    with edited(finished, "mammoflow/evaluation/froc.py") as path:
        os.utime(path, (0, 0))
        assert "froc digital natural" in planned(finished)


# ---- nothing ---------------------------------------------------------------------------------------------


def test_what_changes_no_statement_reruns_nothing(finished):
    with edited(finished, "mammoflow/base/storage.py", "\n# A comment.\n"):
        assert planned(finished) == set()


def test_a_reverted_edit_and_touched_files_rerun_nothing(finished):
    scripts = finished.folder / "workflow/scripts"
    module = scripts / "mammoflow/base/storage.py"
    text = module.read_text()
    module.write_text(text + "\nEDITED = True\n")
    module.write_text(text)
    tables = [
        finished.folder / f"tiny/results/{name}.csv" for name in ("index/film/images", "splits/digital")
    ]
    for path in (*scripts.glob("*.py"), *tables):
        path.touch()
    assert planned(finished) == set()


@pytest.fixture
def copy(finished, tmp_path):
    """The finished study and its project in another folder, with all that is recorded of them."""
    project = Project.__new__(Project)
    project.folder = tmp_path / "copy"
    shutil.copytree(finished.folder, project.folder)
    return project


def test_a_copy_elsewhere_reruns_nothing(copy):
    assert planned(copy) == set()


def test_a_fresh_checkout_of_the_project_reruns_nothing(finished, project):
    for path in project.folder.rglob("*"):
        path.touch()
    assert planned(project, settings={"workspace": str(finished.folder / "tiny")}) == set()


def test_every_profile_leaves_times_of_scripts_alone(finished):
    for path in (finished.folder / "workflow/scripts").glob("*.py"):
        path.touch()
    for profile in ("laptop", "workstation", "slurm"):
        assert planned(finished, "--workflow-profile", f"profiles/{profile}") == set()


# ---- what a user does ------------------------------------------------------------------------------------


def test_an_accepted_edit(copy):
    weights = copy.folder / "tiny/results/models/film/compact/random/fold-0/run-0/model.weights.h5"
    before = weights.read_bytes()
    with edited(copy, "mammoflow/training/fitting.py"):
        assert "train film random" in planned(copy)
        copy.run("--touch")
        assert planned(copy) == set()
        assert weights.read_bytes() == before
        # What changes later is seen as ever.
        assert planned(copy, settings={"detection": {"levels": 50}}) == with_all_that_follows(["detections"])
    assert "train film random" in planned(copy)


def altered(path):
    """Write other pixels into a DICOM file."""
    image = pydicom.dcmread(path)
    if image.file_meta.TransferSyntaxUID.is_compressed:
        image.decompress()
    pixels = image.pixel_array
    image.PixelData = np.where(pixels > 100, pixels - 8, pixels).astype(pixels.dtype).tobytes()
    image.save_as(path)


def parts(results, fold):
    """Digests of the parts of a bank."""
    with bank.open_bank(results / "patches/digital/stored.h5", fold) as opened:
        return {part: getattr(opened, part).digest for part in bank.PARTS}


def test_a_replaced_image(copy):
    results = copy.folder / "tiny/results"
    splits, folds = SPLITS.read(results / "splits/digital.csv"), range(3)
    stored = STORED.read(results / "images/digital/shard-1.csv")
    with_mass = LESIONS.read(results / "index/digital/lesions.csv")["image_id"]
    image_id = stored.loc[stored["stored"] & stored["image_id"].isin(with_mass), "image_id"].iloc[0]
    images = IMAGES.read(results / "index/digital/images.csv").set_index("image_id")
    altered(copy.folder / "tiny/data/digital" / images.loc[image_id, "path"])

    assert planned(copy) == set()
    store = "results/images/digital/shard-1.h5"
    report = "results/index/digital/replaced.csv"
    said = f"digital: 1 of {len(images)} images have changed since they were stored"
    assert f"{said}; rebuild them with --forcerun {store}\n" in copy.run("--force", report)

    jobs = copy.jobs("--forcerun", store)
    assert [job["shard"] for rule, job in jobs if rule == "images"] == ["1"]
    assert planned(copy, "--forcerun", store) == with_all_that_follows(["images"], "digital")

    other = results / "images/digital/shard-0.h5"
    before, times = {fold: parts(results, fold) for fold in folds}, other.stat()
    copy.run("--forcerun", store, "--until", "bank")
    assert other.stat().st_mtime_ns == times.st_mtime_ns
    pd.testing.assert_frame_equal(SPLITS.read(results / "splits/digital.csv"), splits)
    role = splits[splits["image_id"] == image_id].set_index("fold")["role"]
    for fold in folds:
        after = parts(results, fold)
        assert [part for part in after if after[part] != before[fold][part]] == [role[fold]]
    # The splits are the same as before, and `cases` reads nothing else that changed.
    assert planned(copy) == with_all_that_follows(["images"], "digital") - {
        "images digital",
        "splits digital",
        "bank digital",
        "cases digital",
    }
    assert f"digital: 0 of {len(images)} images" in copy.run("--force", report)


def test_an_archive_that_is_looked_at_again_and_is_the_same(copy):
    assert planned(copy, "--forcerun", "index") == with_all_that_follows(["index"])
    copy.run("--forcerun", "index", "--until", "index")
    assert planned(copy) == set()


def test_paths_of_a_user(copy):
    workspace = copy.folder / "tiny"
    weights = workspace / "results/weights/natural/compact.h5"
    for name in ("one.h5", "two.h5"):
        shutil.copy(weights, workspace / name)
    shutil.copytree(workspace / "data/digital", workspace / "data/moved")

    right, wrong = storage.sha256(weights), "0" * 64

    def plan(root, path, sha256=right, run=copy.jobs):
        third = yaml.safe_load(TINY.read_text())["datasets"]["digital"] | {"label": "third", "root": root}
        del third["phantoms"]
        files = {"compact": {"path": path, "sha256": sha256}}
        given = {"label": "given", "source": "files", "files": files}
        targets = ["results/index/third/images.csv", "results/weights/given/compact.h5"]
        return run(*targets, settings={"datasets": {"third": third}, "weights": {"given": given}})

    plan("data/digital", "one.h5", run=copy.run)
    assert plan("data/digital", "one.h5") == []
    assert [rule for rule, _ in plan("data/moved", "one.h5")] == ["index"]
    assert [rule for rule, _ in plan("data/digital", "two.h5")] == ["weights"]
    assert [rule for rule, _ in plan("data/digital", "one.h5", wrong)] == ["weights"]
