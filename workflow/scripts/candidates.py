"""Find the candidates of the test images of a fold, and score them."""

from mammoflow.base import logs

logs.redirect(snakemake.log[0])

import json
from pathlib import Path

from mammoflow.base import storage
from mammoflow.base.contracts.detections import CANDIDATES
from mammoflow.base.contracts.index import LESIONS
from mammoflow.breasts import image_store
from mammoflow.detection import candidate_scores, candidates

given, params, output = snakemake.input, snakemake.params, snakemake.output
settings = candidates.Settings.from_config(params.candidates)
store = image_store.open_store(given.stores)
window = json.loads(Path(given.metadata[0]).read_text())["window"]


def found(path: str) -> candidates.Table:
    """Candidates in all maps of a file."""
    with storage.open_hdf5(path) as file:
        return candidates.of_maps(file, store, window, settings, snakemake.threads)


score = candidate_scores.peak
if given.learning:
    score = candidate_scores.learn(found(given.learning[0]), LESIONS.read(given.lesions))
    print(f"learnt from {score.masses} candidates on masses and {score.others} others")
boxes = candidate_scores.scored(found(given.mpm), score, settings, params.levels)
CANDIDATES.write(boxes, output.candidates)
candidate_scores.write(score, output.score)
logs.announce(
    f"{output.candidates}: {len(boxes)} candidates in {boxes['image_id'].nunique()} images, "
    f"scored by {candidate_scores.described(score)}"
)
