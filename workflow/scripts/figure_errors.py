"""Draw figure-errors, where the shown model errs, and write its numbers."""

from mammoflow.base import logs

logs.redirect(snakemake.log[0])

import itertools
from dataclasses import replace

from mammoflow.base.contracts.classification import CLASSIFICATION
from mammoflow.base.contracts.froc import POINTS
from mammoflow.base.contracts.index import IMAGES, LESIONS
from mammoflow.base.contracts.review import ERRORS
from mammoflow.base.contracts.splits import SPLITS
from mammoflow.detection import mpm
from mammoflow.evaluation.definitions import Evaluation
from mammoflow.report import detection_errors, examples, naming
from mammoflow.report.figures import error_panels, style

given, output, params = snakemake.input, snakemake.output, snakemake.params
definition = replace(Evaluation(**params.evaluation).definition, mode="candidate")
images, patches = IMAGES.read(given.images), CLASSIFICATION.read(given.classification)
found = examples.findings(
    POINTS.read(given.points),
    SPLITS.read(given.splits),
    LESIONS.read(given.lesions),
    images,
    given.candidates,
    definition,
)
lesions, false = detection_errors.best_scores(found.folds, definition)
grids = itertools.chain.from_iterable(maps.items() for maps in mpm.open_folds(given.mpms, len(found.folds)))
wrong = found.boxes[found.boxes["verdict"] == examples.FALSE]
table = detection_errors.table(
    [
        detection_errors.by_area(lesions, found.threshold),
        detection_errors.by_score(lesions, false),
        detection_errors.places(wrong, grids, images.set_index("image_id")["view"]),
        detection_errors.by_view(lesions, images, found.threshold),
        detection_errors.calibration(patches["label"].to_numpy(), patches["probability"].to_numpy()),
    ]
)
ERRORS.write(table, output.csv)
figure = error_panels.draw(table, found.threshold, naming.experiment(params.chain, params.labels))
style.save(figure, output.png, output.svg)
logs.announce(f"{output.png}: {len(lesions)} masses, {len(wrong)} false positives")
