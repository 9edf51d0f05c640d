"""Find the candidates of the test images of a fold, and score them."""

from mammoflow.base import logs

logs.redirect(snakemake.log[0])

import json
from collections.abc import Callable, Sequence
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


def by_networks(runs: Sequence[int]) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Function that adds to candidates what the networks of some runs answer to each at its own scale."""
    from mammoflow.detection import own_scale  # only where it is asked for: TensorFlow takes seconds
    from mammoflow.networks import runtime, trained

    runtime.configure(snakemake.threads, gpus=0, training=False)
    loaded = [trained.load(given.weights[run], given.metadata[run], "float32") for run in runs]
    models, (record, *_) = zip(*loaded, strict=True)
    normalization = record["normalization"]
    return lambda table: own_scale.described(
        table, store, models, normalization, params.own_scale, params.precision
    )


with storage.open_hdf5(given.mpm) as file:
    described = by_networks(file.attrs["runs"]) if params.own_scale else None

    def found(part: str) -> pd.DataFrame:
        """Candidates in one part of the maps."""
        table = candidates.of_maps(file, part, store, window, settings, snakemake.threads)
        return described(table) if described and len(table) else table

    score = candidate_scores.peak
    if given.scores:  # of a model that was trained on other images
        score = candidate_scores.read(given.scores[file.attrs["runs"][0]])
    elif params.scoring == "learnt":
        score = candidate_scores.learn(found(mpm.LEARNING), LESIONS.read(given.lesions))
    boxes = candidate_scores.scored(found(mpm.TESTED), score, settings)
CANDIDATES.write(boxes, output.candidates)
candidate_scores.write(score, output.score)
logs.announce(
    f"{output.candidates}: {len(boxes)} candidates in {boxes['image_id'].nunique()} images, "
    f"scored by {candidate_scores.described(score, params.scoring)}"
)
