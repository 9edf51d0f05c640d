"""Write the review page of a model, and the files that it reads: boxes, FROC points and maps."""

from mammoflow.base import logs

logs.redirect(snakemake.log[0])

from mammoflow.base import storage
from mammoflow.base.contracts.detections import CANDIDATES
from mammoflow.base.contracts.froc import POINTS, POOLED
from mammoflow.base.contracts.index import IMAGES, LESIONS
from mammoflow.base.contracts.review import CASES
from mammoflow.base.contracts.splits import SPLITS
from mammoflow.base.shards import by_fold
from mammoflow.evaluation import folds, matching
from mammoflow.evaluation.definitions import Evaluation
from mammoflow.report import naming
from mammoflow.report.review import javascript, model_data, review_page

given, output, params, wildcards = snakemake.input, snakemake.output, snakemake.params, snakemake.wildcards
chain = f"{wildcards.dataset}/{wildcards.backbone}/{wildcards.init}"
evaluation = Evaluation(**params.evaluation)
cases, images, lesions = CASES.read(given.cases), IMAGES.read(given.images), LESIONS.read(given.lesions)
splits = SPLITS.read(given.splits)

grids, geometries = model_data.maps(given.mpms, cases)
found = map(CANDIDATES.read, given.candidates)
tested = list(folds.folds_of(splits, lesions, None, images, candidates=found))
files = by_fold(given.detections, len(tested))
boxes = list(map(matching.of_files, tested, files))
modes = model_data.modes(tested, boxes, cases, geometries, evaluation)
points, pooled = POINTS.read(given.points), POOLED.read(given.pooled)
model = {
    "chain": chain,
    "label": naming.experiment(chain, params.labels),
    "modes": modes,
    "points": {each.mode: model_data.points(points, pooled, each) for each in evaluation.in_modes(chain)},
}
sizes = [javascript.write(output.model, chain, model), javascript.write(output.maps, f"maps {chain}", grids)]

shown = images[images["image_id"].isin(cases["image_id"])]
words = {name: shown[name].unique() for name in ("laterality", "view")}
words["pathology"] = lesions.loc[lesions["image_id"].isin(cases["image_id"]), "pathology"].unique()
text = review_page.page(
    chain, params.models, params.shards, cases["fold"].unique(), words, evaluation, params.labels
)
with storage.whole(output.page) as temporary:
    temporary.write_text(text, encoding="utf-8")
logs.announce(f"{output.page}: {len(cases)} images, {(sum(sizes) + len(text)) / 1e6:.1f} MB of the model")
