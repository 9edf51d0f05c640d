"""Write the HTML page with all tables and figures."""

from mammoflow.base import logs

logs.redirect(snakemake.log[0])

from pathlib import Path

from mammoflow.base import storage
from mammoflow.report import page
from mammoflow.report.tables import presentation
from mammoflow.report.tables.catalogue import PRESENTATIONS
from mammoflow.study import provenance


def table(path: str) -> page.Table:
    """A table as the page shows it."""
    its = PRESENTATIONS[Path(path).stem]
    return page.Table(its.title, presentation.readable(presentation.read(path), its), its.note)


given, params = snakemake.input, snakemake.params
shown = {Path(path).stem: table(path) for path in given.tables}
shown |= {
    name: page.Picture(name.replace("-", " ").capitalize(), Path(path).read_bytes(), params.captions[name])
    for path in given.figures
    for name in [Path(path).stem]
}
for title, name, paths in (
    ("Breast regions", "breast-regions", given.breast_regions),
    ("Augmented patches", "augmented-patches", given.augmented),
):
    shown |= {
        Path(path).stem: page.Picture(
            f"{title}: {params.labels['datasets'][dataset]}", Path(path).read_bytes(), params.captions[name]
        )
        for dataset, path in zip(params.datasets, paths, strict=True)
    }
text = page.page(shown, table(given.reconciliation), params.config, params.labels, provenance.record())
with storage.whole(snakemake.output.page) as temporary:
    temporary.write_text(text, encoding="utf-8")
logs.announce(f"{snakemake.output.page}: {len(shown)} tables and figures, {len(text) / 2**20:.1f} MB")
