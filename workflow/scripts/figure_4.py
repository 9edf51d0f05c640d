"""Draw figure 4: examples of correct detections, false positives and missed masses."""

from mammoflow.base import logs

logs.redirect(snakemake.log[0])

from mammoflow.base.contracts.froc import POINTS
from mammoflow.base.contracts.index import IMAGES, LESIONS
from mammoflow.base.contracts.splits import SPLITS
from mammoflow.breasts import image_store
from mammoflow.evaluation.definitions import Evaluation
from mammoflow.report import examples, naming
from mammoflow.report.figures import detection_examples, style

given, params = snakemake.input, snakemake.params
definition = Evaluation(**params.evaluation).definition
splits, lesions, points = SPLITS.read(given.splits), LESIONS.read(given.lesions), POINTS.read(given.points)
described = IMAGES.read(given.images)
threshold, _, boxes, missed = examples.findings(
    points, splits, lesions, described, given.detections, definition
)

store, by_id = image_store.open_store(given.stores), described.set_index("image_id")
panels = []
for example in examples.choose(boxes, missed, detection_examples.NUMBERS):
    image = by_id.loc[example.image_id]
    its_boxes = boxes[(boxes["image_id"] == example.image_id) & (boxes["fold"] == example.fold)]
    view = " ".join(filter(None, (image["laterality"], image["view"])))
    panels.append(
        detection_examples.Panel(example, store[example.image_id], its_boxes, view, image["spacing_mm"])
    )
figure = detection_examples.draw(panels, threshold, naming.experiment(params.chain, params.labels))
style.save(figure, snakemake.output.png, snakemake.output.svg)
logs.announce(f"{snakemake.output.png}: {len(panels)} examples at threshold {threshold:g}")
