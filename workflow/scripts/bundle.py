"""Pack the model of one fold into a file: networks, settings, thresholds, licences and model card."""

from mammoflow.base import imports, logs

logs.redirect(snakemake.log[0])
imports.begin("matplotlib")

from pathlib import Path

import pandas as pd

from mammoflow.base.contracts.froc import POINTS
from mammoflow.base.contracts.index import IMAGES, LESIONS
from mammoflow.base.contracts.splits import SPLITS
from mammoflow.base.contracts.stored import GREY_SCALE
from mammoflow.base.shards import by_fold
from mammoflow.base.version import version
from mammoflow.breasts import image_store
from mammoflow.bundles import detector, manifest, model_card, model_file, thresholds, validation_boxes
from mammoflow.detection import candidate_scores, candidates, mapping, mpm
from mammoflow.evaluation.definitions import Evaluation
from mammoflow.networks import runtime, trained
from mammoflow.patches.sliding_windows import Windows
from mammoflow.study import provenance

imports.end()

given, params, wildcards = snakemake.input, snakemake.params, snakemake.wildcards
chain = f"{wildcards.dataset}/{wildcards.backbone}/{wildcards.init}"
runtime.configure(snakemake.threads, training=False)

# Of several folds, the one whose network had the lowest validation loss: no test image decides.
number = params.runs[trained.best_run(given.metadata)]["fold"] if params.fold == "best" else params.fold
places = [place for place, run in enumerate(params.runs) if run["fold"] == number]
folds = 1 + max(run["fold"] for run in params.runs)
mapped = by_fold(given.mpm, folds)[number]
made = [mpm.read_made(path) for path in mapped]
runs, maps = made[0].runs, made[0].maps
chosen = {each.precision for each in made if each.precision}
precision = chosen.pop() if len(chosen) == 1 and chosen <= set(runtime.PRECISIONS) else "float32"
weights = [given.weights[places[run]] for run in runs]
loaded = [
    trained.load(path, given.metadata[places[run]], "float32")
    for path, run in zip(weights, runs, strict=True)
]
models, (record, *_) = zip(*loaded, strict=True)
score = candidate_scores.read(given.scores[number])
learnt = isinstance(score, candidate_scores.Learnt)  # there may have been nothing to learn from
views = {key: params.ensemble[key] for key in ("mirrored", "magnifications")}
windows = Windows(record["window"], params.stride, params.edge)
model = detector.Detector(
    list(models),
    mapping.Way(windows, record["normalization"], maps, precision, **views),
    candidates.Settings(**params.candidates),
    score,
    params.own_scale,
    params.levels,
)

splits, images, lesions = SPLITS.read(given.splits), IMAGES.read(given.images), LESIONS.read(given.lesions)
asked, seed = (
    {"parts": ["validation"], "images": params.images},
    (params.seed, "bundle", wildcards.dataset, number),
)
of_fold = splits[splits["fold"] == number]
image_ids = mpm.learning(of_fold, asked, seed)
validation = of_fold[of_fold["image_id"].isin(image_ids)]
store = image_store.open_store(given.stores or image_store.shards(params.images_store, range(params.shards)))
learning = mpm.open_maps(mapped, mpm.LEARNING)
detections, found = validation_boxes.boxes(model, store, image_ids, learning)
fold = thresholds.validation_fold(number, validation, lesions, detections, images, found)

evaluation = Evaluation(**params.evaluation)
points = POINTS.read(given.points)
points = points[points["fold"] == number]
tested = pd.concat(definition.rows(points) for definition in evaluation.in_modes(chain))
definition = evaluation.definition_of(chain)
spacings = images.loc[images["image_id"].isin(splits["image_id"]), "spacing_mm"].dropna()
facts = {
    "format": manifest.FORMAT,
    "version": manifest.VERSION,
    "model": chain,
    "fold": number,
    "folds": folds,
    "runs": runs,
    "network": {
        "backbone": wildcards.backbone,
        "window": windows.window,
        "normalization": record["normalization"],
        "classes": ["no mass", "mass"],
    },
    "input": {
        "acquisition": params.acquisition,
        "resolution": params.resolution,
        "grey_scale": GREY_SCALE,
        "spacing_mm": float(spacings.median()) if len(spacings) else None,
    },
    "maps": {"maps": maps, "stride": params.stride, "edge": params.edge, "precision": precision, **views},
    "boxes": {"levels": params.levels, "own_scale": params.own_scale, **params.candidates},
    "scoring": "learnt" if learnt else "peak",
    "operating_points": thresholds.operating_points(fold, chain, evaluation, tested),
    "thresholds_from": {
        "dataset": wildcards.dataset,
        "part": "validation",
        "images": len(fold.images),
        "images_with_masses": fold.lesions["image_id"].nunique(),
        "masses": len(fold.lesions),
        "patients": fold.images["patient_id"].nunique(),
        "score_learnt_from": params.learnt_from if learnt else [],
    },
    "evaluation": {
        **{key: definition.key[key] for key in ("hit", "iou", "duplicates", "lesions", "fpi_over")},
        "images": int(tested["images"].max()) if len(tested) else 0,
        "masses": int(tested["targets"].max()) if len(tested) else 0,
    },
    "training": params.training,
    "versions": {"mammoflow": version(), "commit": provenance.record()["commit"], **provenance.packages()},
}
members = {
    manifest.SCORE: Path(given.scores[number]).read_bytes(),
    manifest.FROC: tested.to_csv(index=False).encode(),
    manifest.CARD: model_card.card(facts).encode(),
    **{manifest.weights(run): Path(path).read_bytes() for run, path in zip(runs, weights, strict=True)},
}
digest = model_file.write(snakemake.output.model, facts, members)
logs.announce(
    f"{snakemake.output.model}: fold {number}, run {', '.join(map(str, runs))}, thresholds from "
    f"{len(fold.images)} validation images with {len(fold.lesions)} masses, sha256 {digest[:12]}"
)
