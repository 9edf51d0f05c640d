"""Write table 1: cases, images, masses and patches of every fold and part."""

from mammoflow.base import logs

logs.redirect(snakemake.log[0])

import pandas as pd

from mammoflow.base.contracts.index import LESIONS
from mammoflow.base.contracts.splits import SPLITS
from mammoflow.patches import bank
from mammoflow.report.tables import data_description, presentation

params, output = snakemake.params, snakemake.output
splits, lesions = (
    {name: table.read(path) for name, path in zip(params.datasets, paths, strict=True)}
    for table, paths in ((SPLITS, snakemake.input.splits), (LESIONS, snakemake.input.lesions))
)
counts = []
for (dataset, table), path in zip(splits.items(), snakemake.input.banks, strict=True):
    for fold in sorted(table["fold"].unique()):
        with bank.open_bank(path, fold) as patches:
            for part in bank.PARTS:
                labels = getattr(patches, part).labels
                count = {"positives": int((labels == 1).sum()), "negatives": int((labels == 0).sum())}
                counts.append({"dataset": dataset, "fold": fold, "part": part, **count})

table = data_description.table(splits, lesions, pd.DataFrame(counts), params.labels)
presentation.write(table, data_description.PRESENTATION, output.csv, output.markdown)
logs.announce(f"{output.csv}: {len(counts)} parts of {len(params.datasets)} data sets")
