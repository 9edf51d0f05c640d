"""VinDr-Mammo: a tiny study from the written release to its FROC table, and all 20,000 images by counts."""

import pandas as pd
import pytest
import vindr_mammo_forms as forms

from mammoflow.archives import vindr_mammo
from mammoflow.base.contracts.froc import OPERATING_POINTS
from mammoflow.base.contracts.index import IMAGES, LESIONS
from mammoflow.base.contracts.splits import SPLITS
from mammoflow.patches import splits

pytestmark = pytest.mark.workflow

ONCE = {"dataset": "digital", "backbones": ["compact"], "initializations": ["random"], "runs": 1}
SETTINGS = {
    "datasets": {
        "digital": {
            "label": "VinDr phantoms",
            "archive": "vindr-mammo",
            "phantoms": {"detector": [450, 330], "pixel_mm": 0.28},
            "folds": "official",
            "validation_fraction": 0.3,
            "resolution": {"mm": 0.7},
        }
    },
    "training": {"epochs": 1, "steps_per_epoch": 2},
    "detection": {"candidates": {"scoring": "peak"}},
    "experiments": {"classification": ONCE, "detection": ONCE, "ablations": []},
}


def test_from_the_written_release_to_the_froc_table(project):
    tables = [f"results/tables/table-{name}" for name in ("4.csv", "protocol.md")]
    project.run(*tables, settings=SETTINGS)
    results = project.folder / "tiny" / "results"
    images, lesions = (table.read(results / f"index/digital/{table.name}.csv") for table in (IMAGES, LESIONS))
    assert set(images["official_split"]) == {"train", "test"}
    roles = SPLITS.read(results / "splits/digital.csv").set_index("image_id")["role"]
    tested = images.set_index("image_id")["official_split"] == "test"
    assert set(roles[tested[roles.index]]) == {"test"}
    assert set(roles[~tested[roles.index]]) == {"train", "validation"}
    points = OPERATING_POINTS.read(results / "froc/digital/compact/random/operating-points.csv")
    targets = lesions["image_id"].map(tested).sum()
    assert targets > 0
    assert points.loc[points["subset"] == "all", "targets"].max() == targets
    assert "VinDr phantoms" in pd.read_csv(results / "tables/table-4.csv").to_csv()
    protocol = (results / "tables/table-protocol.md").read_text()
    assert "VinDr-Mammo has boxes only of findings of BI-RADS 3 and above" in protocol


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    root, images = tmp_path_factory.mktemp("whole"), forms.whole()
    forms.write_whole(root, images)
    return root, images, vindr_mammo.index(root, threads=2)


def test_the_published_counts_are_found(whole):
    _, _, index = whole
    published = index.reconciliation.dropna(subset="paper")
    assert published["quantity"].tolist() == list(vindr_mammo.PUBLISHED)
    assert (published["difference"] == 0).all()


def test_every_image_and_every_finding_is_used_or_excluded(whole):
    _, images, index = whole
    others = [image for image in images if image.findings and "Mass" not in str(image.findings)]
    assert len(others) == 655
    assert len(index.images) == 20_000 - 655
    reasons = index.excluded.set_index("path")["reason"]
    assert set(reasons.index[reasons == "other-findings"]) == {image.path for image in others}
    assert (reasons == "image-excluded").sum() == sum(len(image.findings) for image in others)
    assert set(reasons) == {"other-findings", "image-excluded"}
    assert {*index.images["path"]} == {image.path for image in images} - {image.path for image in others}
    found = index.reconciliation.set_index("quantity")["found"]
    assert found["files used"] == 2 + len(index.images)
    assert found["files that are plainly not images"] == 1
    flags = index.images["flags"].tolist()
    assert flags.count("box-clipped") == forms.BEYOND
    assert flags.count("suspicious-breast") == forms.SUSPICIOUS_NORMAL
    assert index.images.groupby("patient_id")["columns"].nunique().eq(2).sum() == 151


def test_lesions_are_the_boxes(whole):
    _, images, index = whole
    lesions = index.lesions.groupby("image_id")
    for image in images:
        boxes = [cells for cells in image.findings if "Mass" in cells[0]]
        if not boxes:
            assert image.image_id not in lesions.groups
            continue
        found = lesions.get_group(image.image_id)
        assert found["pathology"].tolist() == [cells[1] for cells in boxes]
        height, width = image.size
        expected = [
            [int(y0), int(x0), -int(-y1 // 1), min(width, -int(-x1 // 1))] for *_, x0, y0, x1, y1 in boxes
        ]
        assert found[["y0", "x0", "y1", "x1"]].values.tolist() == expected
        assert height >= found["y1"].max()


def test_the_official_split_gets_a_validation_part_by_study(whole):
    _, _, index = whole
    stored = index.images.assign(pixels_sha256=index.images["image_id"])
    table = splits.official(stored, index.lesions, 0.2, seed=1)
    roles = table.groupby("patient_id")["role"].agg(set)
    assert roles.map(len).max() == 1
    counts = table.merge(index.lesions, on="image_id")["role"].value_counts()
    assert counts["test"] == 237
    assert counts["validation"] == pytest.approx(0.2 * 989, abs=2)
