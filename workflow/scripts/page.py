"""One page with every table and figure."""

from mammoflow import logs

logs.redirect(snakemake.log[0])

from pathlib import Path

from mammoflow import provenance, reporting, storage
from mammoflow.tables_of_paper import presentation
from mammoflow.tables_of_paper.presentations import PRESENTATIONS


def table(path: str) -> reporting.Table:
    """A table as the page shows it."""
    its = PRESENTATIONS[Path(path).stem]
    return reporting.Table(its.title, presentation.readable(presentation.read(path), its), its.note)


given, params = snakemake.input, snakemake.params
shown = {Path(path).stem: table(path) for path in given.tables}
shown |= {
    f"figure-{number}": reporting.Picture(
        f"Figure {number}", Path(path).read_bytes(), params.captions[f"figure-{number}"]
    )
    for number, path in enumerate(given.figures, start=1)
}
for title, name, paths in (
    ("Breast regions", "breast-regions", given.breast_regions),
    ("Augmented patches", "augmented-patches", given.augmented),
):
    shown |= {
        Path(path).stem: reporting.Picture(
            f"{title}: {params.labels['datasets'][dataset]}", Path(path).read_bytes(), params.captions[name]
        )
        for dataset, path in zip(params.datasets, paths, strict=True)
    }
text = reporting.page(shown, table(given.reconciliation), params.config, params.labels, provenance.record())
with storage.whole(snakemake.output.page) as temporary:
    temporary.write_text(text, encoding="utf-8")
logs.announce(f"{snakemake.output.page}: {len(shown)} tables and figures, {len(text) / 2**20:.1f} MB")
