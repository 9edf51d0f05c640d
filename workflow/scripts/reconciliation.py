"""Counts of every data set and fold beside the paper's."""

from mammoflow import logs

logs.redirect(snakemake.log[0])

from pathlib import Path

import pandas as pd

from mammoflow import reconciliation
from mammoflow.contracts.index import LESIONS, RECONCILIATION
from mammoflow.contracts.stored import STORED
from mammoflow.tables_of_paper import presentation
from mammoflow.tables_of_paper.reconciliation import PRESENTATION

given, params, output = snakemake.input, snakemake.params, snakemake.output
releases = {}
for name, label, counts, lesions in zip(
    params.datasets, params.labels, given.releases, given.lesions, strict=True
):
    stored = pd.concat([STORED.read(path) for path in given.stored if Path(path).parent.name == name])
    of_store = reconciliation.of_store(stored, LESIONS.read(lesions))
    releases[label] = [RECONCILIATION.read(counts), of_store]
table = reconciliation.table(releases, presentation.read(given.description), params.archives)
presentation.write(table, PRESENTATION, output.csv, output.markdown)
differing = int((table["difference"].abs() > 0).sum())
logs.announce(f"{output.csv}: {len(table)} counts; {differing} differ from the paper's")
