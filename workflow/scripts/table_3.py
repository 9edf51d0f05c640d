"""Write table 3: chains of initialisations on the detection data set, over folds."""

from mammoflow.base import logs

logs.redirect(snakemake.log[0])

import json
from pathlib import Path

from mammoflow.base.contracts.index import IMAGES
from mammoflow.report.tables import cascades, presentation, trainings

params, output = snakemake.params, snakemake.output
patients = IMAGES.read(snakemake.input.images).set_index("image_id")["patient_id"]
table = cascades.table(
    params.runs,
    trainings.read(snakemake.input.classifications, params.runs),
    [json.loads(Path(path).read_text()) for path in snakemake.input.metadata],
    params.labels,
    trainings.Patients(patients, params.draws, params.seed),
)
presentation.write(table, cascades.PRESENTATION, output.csv, output.markdown)
logs.announce(f"{output.csv}: {len(params.runs)} runs")
