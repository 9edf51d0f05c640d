"""Table 2: networks and initialisations, over independent runs."""

from mammoflow import logs

logs.redirect(snakemake.log[0])

import json
from pathlib import Path

from mammoflow import tables_of_paper
from mammoflow.contracts.classification import CLASSIFICATION
from mammoflow.contracts.history import HISTORY
from mammoflow.contracts.index import IMAGES

params, output = snakemake.params, snakemake.output
patients = IMAGES.read(snakemake.input.images).set_index("image_id")["patient_id"]
table = tables_of_paper.patch_classification(
    params.runs,
    [CLASSIFICATION.read(path) for path in snakemake.input.classifications],
    [json.loads(Path(path).read_text()) for path in snakemake.input.metadata],
    [HISTORY.read(path) for path in snakemake.input.histories],
    params.labels,
    tables_of_paper.Patients(patients, params.draws, params.seed),
)
tables_of_paper.write(table, "table-2", output.csv, output.markdown)
logs.announce(f"{output.csv}: {len(params.runs)} trainings")
