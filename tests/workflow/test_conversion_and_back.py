"""What another program finds on the converted pictures of a study comes back into that study."""

import json

import pytest

from mammoflow.base.contracts.froc import POINTS
from mammoflow.commands import main

pytestmark = pytest.mark.workflow


def test_perfect_boxes_on_converted_pictures_find_every_mass_in_the_study(finished, tmp_path):
    workspace, pictures = finished.folder / "tiny", tmp_path / "pictures"
    convert = "convert", workspace / "results", "--dataset", "digital", "--to", "coco", "--out", pictures
    assert main.main(list(map(str, convert))) == 0
    results = []
    for truth in sorted(pictures.glob("fold-*-test.json")):
        masses = json.loads(truth.read_text())["annotations"]
        results.append(tmp_path / f"found-{truth.name}")
        results[-1].write_text(json.dumps([mass | {"score": 0.5} for mass in masses]))
    back = "convert-back", *results, "--pictures", pictures, "--out", workspace / "perfect.csv"
    assert main.main(list(map(str, back))) == 0
    points = "results/froc/digital/external/perfect/points.csv"
    external = {"perfect": {"label": "perfect boxes", "path": "perfect.csv"}}
    finished.run(points, settings={"detection": {"external": external}})
    best = POINTS.read(workspace / points).query("subset == 'all' and threshold <= 0.5")
    assert len(results) == best["fold"].nunique() == 3
    assert (best["targets"] > 0).all()
    assert (best["tpr"] == 1).all()
    assert (best["false_positives"] == 0).all()
