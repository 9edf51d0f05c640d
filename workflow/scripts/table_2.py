"""Write table 2: networks and initialisations, over independent runs."""

from mammoflow.base import logs

logs.redirect(snakemake.log[0])

import json
from pathlib import Path

from mammoflow.base.contracts.history import HISTORY
from mammoflow.base.contracts.index import IMAGES
from mammoflow.report.tables import patch_classification, presentation, trainings

params, output = snakemake.params, snakemake.output
patients = IMAGES.read(snakemake.input.images).set_index("image_id")["patient_id"]
table = patch_classification.table(
    params.runs,
    trainings.read(snakemake.input.classifications, params.runs),
    [json.loads(Path(path).read_text()) for path in snakemake.input.metadata],
    [HISTORY.read(path) for path in snakemake.input.histories],
    params.labels,
    trainings.Patients(patients, params.draws, params.seed),
)
presentation.write(table, patch_classification.PRESENTATION, output.csv, output.markdown)
logs.announce(f"{output.csv}: {len(params.runs)} trainings")
