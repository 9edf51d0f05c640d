"""Draw one test image with its masses, probability map and boxes."""

from mammoflow.base import logs

logs.redirect(snakemake.log[0])

import sys
from dataclasses import replace

from mammoflow.base.contracts.froc import POINTS
from mammoflow.base.contracts.index import IMAGES, LESIONS
from mammoflow.base.contracts.splits import SPLITS
from mammoflow.base.shards import by_fold
from mammoflow.breasts import image_store
from mammoflow.detection import mpm
from mammoflow.evaluation.definitions import Evaluation
from mammoflow.report import examples, naming, overlays
from mammoflow.report.figures import overlay, style

inputs, params, wildcards = snakemake.input, snakemake.params, snakemake.wildcards
image_id, splits = wildcards.image_id, SPLITS.read(inputs.splits)
definition = replace(Evaluation(**params.evaluation).definition, mode=params.drawn)
try:
    fold = overlays.fold_testing(splits, image_id, inputs.splits)
except ValueError as error:
    logs.announce(str(error))
    sys.exit(1)

folds = splits["fold"].nunique()
grid = mpm.open_maps(by_fold(inputs.mpms, folds)[fold])[image_id]
levels = params.levels if definition.mode == "paper" else None
threshold = overlays.threshold(definition.rows(POINTS.read(inputs.points)), levels, **params.overlays)
boxes = examples.read_boxes(by_fold(inputs.boxes, folds)[fold], definition.mode, "image_id", image_id)
lesions = LESIONS.read(inputs.lesions)
judged, _ = examples.judge(
    examples.boxes_at(boxes, threshold, definition.mode), lesions[lesions["image_id"] == image_id], definition
)
chain = f"{wildcards.dataset}/{wildcards.backbone}/{wildcards.init}"
figure = overlay.draw(
    image_store.open_store(inputs.stores)[image_id],
    grid.map(),
    judged,
    threshold,
    params.drawn,
    IMAGES.read(inputs.images).set_index("image_id").loc[image_id, "spacing_mm"],
    f"Image {image_id}, test of fold {fold}\n{naming.experiment(chain, params.labels)}",
)
style.save(figure, snakemake.output.png)
logs.announce(f"{snakemake.output.png}: {len(judged)} boxes at threshold {threshold:.3g}")
