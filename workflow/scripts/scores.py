"""Score the candidates in the test images of a fold."""

from mammoflow.base import logs

logs.redirect(snakemake.log[0])

import pandas as pd

from mammoflow.base.contracts.detections import CANDIDATES
from mammoflow.base.contracts.index import LESIONS
from mammoflow.detection import candidate_scores, candidates, mpm

given, params, output = snakemake.input, snakemake.params, snakemake.output
score = candidate_scores.peak
if given.scores:  # of a model that was trained on other images
    score = candidate_scores.read(given.scores[mpm.read_made(given.mpm[0]).runs[0]])
elif params.scoring == "learnt":
    score = candidate_scores.learn(
        candidates.read(given.candidates, mpm.LEARNING), LESIONS.read(given.lesions)
    )
settings = candidates.Settings(**params.candidates)
# One shard at a time: the features of all images of a large fold would not fit into memory.
shards = [
    candidate_scores.scored(candidates.read([path], mpm.TESTED), score, settings) for path in given.candidates
]
boxes = pd.concat(shards).sort_values("image_id", kind="stable")
CANDIDATES.write(boxes, output.candidates)
candidate_scores.write(score, output.score)
logs.announce(
    f"{output.candidates}: {len(boxes)} candidates in {boxes['image_id'].nunique()} images, "
    f"scored by {candidate_scores.described(score, params.scoring)}"
)
