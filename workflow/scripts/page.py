"""One page with every table and figure."""

from mammoflow import logs

logs.redirect(snakemake.log[0])

from pathlib import Path

import pandas as pd

from mammoflow import provenance, reporting, storage, tables_of_paper
from mammoflow.contracts.index import LESIONS, RECONCILIATION
from mammoflow.contracts.stored import STORED

given, params = snakemake.input, snakemake.params
captions = {Path(path).stem: Path(path).read_text().strip() for path in given.captions}
shown = {
    f"table-{number}": reporting.Table(
        f"Table {number}. {tables_of_paper.PRESENTATIONS[number].title}",
        tables_of_paper.readable(tables_of_paper.read(path), number),
        tables_of_paper.PRESENTATIONS[number].note,
    )
    for number, path in enumerate(given.tables, start=1)
}
shown |= {
    f"figure-{number}": reporting.Picture(
        f"Figure {number}", Path(path).read_bytes(), captions[f"figure-{number}"]
    )
    for number, path in enumerate(given.figures, start=1)
}
caption = Path(given.augmented_caption).read_text().strip()
shown |= {
    Path(path).stem: reporting.Picture(
        f"Augmented patches: {params.labels['datasets'][name]}", Path(path).read_bytes(), caption
    )
    for name, path in zip(params.datasets, given.augmented, strict=True)
}
found = {}
for name, counts, lesions in zip(params.datasets, given.reconciliation, given.lesions, strict=True):
    stored = pd.concat([STORED.read(path) for path in given.stored if Path(path).parent.name == name])
    stages = [RECONCILIATION.read(counts), reporting.left_out(stored, LESIONS.read(lesions))]
    found[params.labels["datasets"][name]] = pd.concat(stages, ignore_index=True)
text = reporting.page(shown, found, params.config, params.labels, provenance.record())
with storage.whole(snakemake.output.page) as temporary:
    temporary.write_text(text, encoding="utf-8")
logs.announce(f"{snakemake.output.page}: {len(shown)} tables and figures, {len(text) / 2**20:.1f} MB")
