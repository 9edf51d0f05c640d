"""Find the candidates in the maps of a shard of a fold, and describe them."""

from mammoflow.base import logs

logs.redirect(snakemake.log[0])

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from mammoflow.breasts import image_store
from mammoflow.detection import candidates, mpm

given, params, output = snakemake.input, snakemake.params, snakemake.output
settings = candidates.Settings(**params.candidates)
shards = given.stores or image_store.shards(params.images_store, params.mapped_shards)
store = image_store.open_store(shards)
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


described = by_networks(mpm.read_made(given.mpm).runs) if params.own_scale else None


def found(part: str) -> pd.DataFrame:
    """Candidates in one part of the maps."""
    maps = mpm.open_maps(given.mpm, part)
    table = candidates.of_maps(maps, store, window, settings, snakemake.threads)
    return described(table) if described and len(table) else table


tables = {part: found(part) for part in mpm.PARTS}
candidates.write(tables, output.candidates)
logs.announce(
    f"{output.candidates}: {len(tables[mpm.TESTED])} candidates in test images, "
    f"{len(tables[mpm.LEARNING])} to learn from"
)
