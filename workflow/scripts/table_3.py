"""Table 3: cascades of initialisations on the detection data set, over folds."""

from mammoflow import logs

logs.redirect(snakemake.log[0])

import json
from pathlib import Path

from mammoflow import tables_of_paper
from mammoflow.contracts.classification import CLASSIFICATION

params, output = snakemake.params, snakemake.output
table = tables_of_paper.cascades(
    params.runs,
    [CLASSIFICATION.read(path) for path in snakemake.input.classifications],
    [json.loads(Path(path).read_text()) for path in snakemake.input.metadata],
    params.labels,
)
tables_of_paper.write(table, "table-3", output.csv, output.markdown)
logs.announce(f"{output.csv}: {len(params.runs)} runs")
