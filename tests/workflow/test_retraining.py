"""A second training of the tiny study, with hard negatives."""

import json
import shutil

import numpy as np
import pytest
from project import Project

from mammoflow.base import storage
from mammoflow.base.boxes import BOX
from mammoflow.base.contracts.index import LESIONS
from mammoflow.base.contracts.splits import SPLITS
from mammoflow.breasts import image_store
from mammoflow.detection import mpm
from mammoflow.patches import bank

pytestmark = pytest.mark.workflow

CHAIN = "digital/compact/natural+film"
TARGET = f"results/candidates/{CHAIN}@hard/fold-0.csv"
JOBS = ["candidates", "hard_negatives", "mpm", "retrain", "scores"]


def ablation(**changes):
    found = {"images": 3, "per_image": 2, "probability": 0.2} | changes
    return {"experiments": {"ablations": [{"name": "hard", "hard_negatives": found}]}}


def planned(project, settings):
    """Rules of the jobs that a dry run lists."""
    return sorted(rule for rule, _ in project.jobs(TARGET, settings=settings))


@pytest.fixture(scope="module")
def study(finished, tmp_path_factory):
    """A copy of the finished study, with one fold of an ablation."""
    project = Project(tmp_path_factory.mktemp("hard"))
    shutil.copytree(finished.folder / "tiny", project.folder / "tiny")
    assert planned(project, ablation()) == JOBS
    project.run(TARGET, "--workflow-profile", "profiles/laptop", settings=ablation())
    return project


@pytest.fixture(scope="module")
def results(study):
    return study.folder / "tiny" / "results"


def test_hard_negatives_are_of_images_that_train_and_off_their_lesions(results):
    splits = SPLITS.read(results / "splits/digital.csv")
    role = splits[splits["fold"] == 0].set_index("image_id")["role"]
    lesions = LESIONS.read(results / "index/digital/lesions.csv")
    store = image_store.open_store(sorted(results.glob("images/digital/*.h5")))
    drawn = 0
    with bank.open_negatives(results / f"hard-negatives/{CHAIN}@hard/fold-0/run-0.h5") as parts:
        for part, rows in parts.items():
            assert set(role[rows.image_id]) <= {part}
            assert not rows.labels.any()
            assert (rows.column("score") >= 0.2).all()
            images, counts = np.unique(rows.image_id, return_counts=True)
            assert len(images) <= 3
            assert (counts <= 2).all()
            for image_id, y, x in zip(rows.image_id, rows.y, rows.x, strict=True):
                boxes = lesions.loc[lesions["image_id"] == image_id, BOX].to_numpy()
                for y0, x0, y1, x1 in store[image_id].geometry.to_stored(boxes):
                    assert y + 48 <= y0 or y >= y1 or x + 48 <= x0 or x >= x1
            drawn += len(rows)
    assert drawn > 0


def test_the_second_training_begins_with_the_first(results):
    first = json.loads((results / f"models/{CHAIN}/fold-0/run-0/model.json").read_text())
    folder = results / f"retrained/{CHAIN}@hard/fold-0/run-0"
    again = json.loads((folder / "model.json").read_text())
    assert again["origin"]["path"] == f"results/models/{CHAIN}/fold-0/run-0/model.weights.h5"
    assert again["origin"]["sha256"] == first["weights_sha256"] != again["weights_sha256"]
    assert again["weights_sha256"] == storage.sha256(folder / "model.weights.h5")
    assert again["seed"] != first["seed"]
    banks = [record["provenance"]["bank"] for record in (first, again)]
    assert [part for part in banks[0] if banks[0][part] != banks[1][part]] == ["train", "validation"]
    assert not (results / f"models/{CHAIN}@hard").exists()
    assert [path for path in results.glob("resume/retrained/**/*") if path.is_file()] == []


def test_its_weights_make_the_maps(results):
    grids = []
    for variant in ("", "@hard"):
        maps = mpm.open_maps(results / f"mpm/{CHAIN}{variant}/fold-0/shard-0.h5")
        grids.append(maps[next(iter(maps))])
    assert (grids[0].probabilities != grids[1].probabilities).any()


def test_a_change_repeats_the_second_training_only(study):
    assert planned(study, ablation()) == []
    assert planned(study, ablation(per_image=1)) == JOBS
