"""Archives of JPEG files: a tiny study from both written releases to FROC tables."""

import pandas as pd
import pytest

from mammoflow.base.contracts.froc import OPERATING_POINTS, POINTS
from mammoflow.base.contracts.index import IMAGES, LESIONS
from mammoflow.base.contracts.splits import SPLITS
from mammoflow.base.contracts.stored import STORED

pytestmark = pytest.mark.workflow

ONCE = {"backbones": ["compact"], "initializations": ["random"], "runs": 1}
SETTINGS = {
    "datasets": {
        "film": {
            "label": "film phantoms (8 bits)",
            "archive": "cbis-ddsm-jpeg",
            "phantoms": {"detector": [500, 350], "pixel_mm": 0.24},
            "resolution": {"factor": 2},
            "shards": 1,
        },
        "digital": {
            "label": "CESM phantoms",
            "archive": "cdd-cesm",
            "phantoms": {"patients": 9, "detector": [320, 256], "pixel_mm": 0.4},
            "resolution": "original",
            "shards": 1,
        },
    },
    "training": {"epochs": 1, "steps_per_epoch": 2},
    "detection": {"stride": 16, "levels": 20, "candidates": {"scoring": "peak"}},
    "experiments": {
        "classification": {"dataset": "film", **ONCE},
        "detection": {"dataset": "digital", **ONCE},
        "ablations": [],
    },
}
FROC = "results/froc/{}/compact/random"


def test_from_the_written_releases_to_froc_tables(project):
    folders = [FROC.format(dataset) for dataset in ("film", "digital")]
    tables = ["results/tables/table-2.csv", "results/tables/table-4.csv"]
    project.run(*(f"{folder}/points.csv" for folder in folders), *tables, settings=SETTINGS)
    workspace = project.folder / "tiny"
    for dataset, suffix in (("film", "jpeg/"), ("digital", "Low energy images of CDD-CESM/")):
        index = workspace / "results/index" / dataset
        images, lesions = (table.read(index / f"{table.name}.csv") for table in (IMAGES, LESIONS))
        assert images["path"].str.startswith(suffix).all()
        assert images["path"].str.endswith(".jpg").all()
        assert images["spacing_mm"].isna().all()
        assert STORED.read(index / "stored.csv")["stored"].all()
        splits = SPLITS.read(workspace / f"results/splits/{dataset}.csv")
        tested = set(splits.loc[splits["role"] == "test", "image_id"])
        targets = lesions["image_id"].isin(tested).sum()
        assert targets > 0
        froc = workspace / FROC.format(dataset)
        points = OPERATING_POINTS.read(froc / "operating-points.csv")
        assert points.loc[points["subset"] == "all", "targets"].max() == targets
        assert len(POINTS.read(froc / "points.csv")) > 0
    for name, label in (("table-2", "film phantoms (8 bits)"), ("table-4", "CESM phantoms")):
        assert label in pd.read_csv(workspace / f"results/tables/{name}.csv").to_csv()
