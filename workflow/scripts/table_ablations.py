"""Write the table of ablations: the main model with one setting changed."""

from mammoflow.base import logs

logs.redirect(snakemake.log[0])

import json
from pathlib import Path

import numpy as np

from mammoflow.base.contracts.froc import DRAWS, OPERATING_POINTS
from mammoflow.base.contracts.index import IMAGES
from mammoflow.detection import mpm
from mammoflow.evaluation.definitions import Evaluation
from mammoflow.report.tables import ablations, presentation, trainings


def windows(paths: list[str]) -> float:
    """Mean number of windows on the grid of an image."""
    return float(np.mean([count for path in paths for count in mpm.windows_per_image(path)]))


given, params, output = snakemake.input, snakemake.params, snakemake.output
every = [run for runs in params.runs for run in runs]
classifications = iter(trainings.read(given.classifications, every))
metadata, maps = iter(given.metadata), iter(given.maps)
cases = [
    ablations.Ablation(
        changes=changes,
        operating_points=OPERATING_POINTS.read(points),
        draws=DRAWS.read(draws),
        runs=runs,
        classifications=[next(classifications) for _ in runs],
        metadata=[json.loads(Path(next(metadata)).read_text()) for _ in runs],
        windows=windows([next(maps) for _ in range(count)]),
    )
    for changes, points, draws, runs, count in zip(
        params.changes, given.operating_points, given.draws, params.runs, params.maps, strict=True
    )
]
evaluation = Evaluation(**params.evaluation)
patients = IMAGES.read(given.images).set_index("image_id")["patient_id"]
table = ablations.table(
    params.chain,
    cases,
    params.settings,
    evaluation,
    params.labels,
    trainings.Patients(patients, evaluation.bootstrap, params.seed),
)
presentation.write(table, ablations.PRESENTATION, output.csv, output.markdown)
logs.announce(f"{output.csv}: {len(cases) - 1} ablations")
