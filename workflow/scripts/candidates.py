"""Find the candidates of the test images of a fold, and score them."""

from mammoflow.base import logs

logs.redirect(snakemake.log[0])

import json
from pathlib import Path

import pandas as pd

from mammoflow.base import storage
from mammoflow.base.contracts.detections import CANDIDATES
from mammoflow.base.contracts.index import LESIONS
from mammoflow.breasts import image_store
from mammoflow.detection import candidate_scores, candidates, mpm

given, params, output = snakemake.input, snakemake.params, snakemake.output
settings = candidates.Settings(**params.candidates)
store = image_store.open_store(given.stores)
window = json.loads(Path(given.metadata[0]).read_text())["window"]

with storage.open_hdf5(given.mpm) as file:

    def found(part: str) -> pd.DataFrame:
        """Candidates in one part of the maps."""
        return candidates.of_maps(file, part, store, window, settings, snakemake.threads)

    score = candidate_scores.peak
    if params.scoring == "learnt":
        score = candidate_scores.learn(found(mpm.LEARNING), LESIONS.read(given.lesions))
    boxes = candidate_scores.scored(found(mpm.TESTED), score, settings)
CANDIDATES.write(boxes, output.candidates)
candidate_scores.write(score, output.score)
logs.announce(
    f"{output.candidates}: {len(boxes)} candidates in {boxes['image_id'].nunique()} images, "
    f"scored by {candidate_scores.described(score, params.scoring)}"
)
