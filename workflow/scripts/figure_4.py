"""Draw figure 4: examples of correct detections, false positives and missed masses."""

from mammoflow.base import logs

logs.redirect(snakemake.log[0])

from dataclasses import replace

from mammoflow.base.contracts.froc import POINTS
from mammoflow.base.contracts.index import IMAGES, LESIONS
from mammoflow.base.contracts.splits import SPLITS
from mammoflow.breasts import image_store
from mammoflow.evaluation.definitions import MODES, Evaluation
from mammoflow.report import examples, naming
from mammoflow.report.figures import detection_examples, style

given, params = snakemake.input, snakemake.params
definition = Evaluation(**params.evaluation).definition
splits, lesions, points = SPLITS.read(given.splits), LESIONS.read(given.lesions), POINTS.read(given.points)
described = IMAGES.read(given.images)
boxes = {"paper": given.detections, "candidate": given.candidates}
modes = sorted(MODES, key=lambda mode: mode != params.drawn)
found = {
    mode: examples.findings(points, splits, lesions, described, boxes[mode], replace(definition, mode=mode))
    for mode in modes
}
chosen = found[params.drawn]

store, by_id = image_store.open_store(given.stores), described.set_index("image_id")
panels = []
for example in examples.choose(chosen.boxes, chosen.missed, detection_examples.NUMBERS):
    image = by_id.loc[example.image_id]
    its_boxes = {mode: examples.boxes_on(example, findings.boxes) for mode, findings in found.items()}
    view = " ".join(filter(None, (image["laterality"], image["view"])))
    panels.append(
        detection_examples.Panel(example, store[example.image_id], its_boxes, view, image["spacing_mm"])
    )
thresholds = {mode: findings.threshold for mode, findings in found.items()}
figure = detection_examples.draw(panels, thresholds, naming.experiment(params.chain, params.labels))
style.save(figure, snakemake.output.png, snakemake.output.svg)
logs.announce(f"{snakemake.output.png}: {len(panels)} examples, chosen by mode {params.drawn}")
