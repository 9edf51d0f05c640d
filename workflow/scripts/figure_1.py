"""Draw figure 1: the framework, shown on one case of the study."""

from mammoflow.base import logs

logs.redirect(snakemake.log[0])

from dataclasses import replace

from mammoflow.base.contracts.froc import POINTS
from mammoflow.base.contracts.index import IMAGES, LESIONS
from mammoflow.base.contracts.splits import SPLITS
from mammoflow.base.shards import by_fold
from mammoflow.breasts import image_store
from mammoflow.detection import mpm
from mammoflow.evaluation.definitions import Evaluation
from mammoflow.patches import sliding_windows
from mammoflow.report import examples, naming
from mammoflow.report.figures import framework, style

given, params = snakemake.input, snakemake.params
definition = replace(Evaluation(**params.evaluation).definition, mode=params.drawn)
splits, lesions, points = SPLITS.read(given.splits), LESIONS.read(given.lesions), POINTS.read(given.points)
described = IMAGES.read(given.images)
threshold, folds, boxes, missed = examples.findings(
    points, splits, lesions, described, given.boxes, definition
)
example = examples.one(boxes, missed, folds)

grid = mpm.open_maps(by_fold(given.mpms, len(folds))[example.fold])[example.image_id]
windows = sliding_windows.Windows(**params.windows)
figure = framework.draw(
    image_store.open_store(given.stores)[example.image_id],
    grid,
    examples.boxes_on(example, boxes),
    replace(windows, stride=grid.step or windows.stride),  # dense maps have steps of their network
    threshold,
    params.drawn,
    described.set_index("image_id").loc[example.image_id, "spacing_mm"],
    f"{naming.experiment(params.chain, params.labels)}: image {example.image_id}",
)
style.save(figure, snakemake.output.png, snakemake.output.svg)
logs.announce(f"{snakemake.output.png}: image {example.image_id} at threshold {threshold:.3g}")
