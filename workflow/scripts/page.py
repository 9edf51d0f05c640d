"""One page with every table and figure."""

from mammoflow import logs

logs.redirect(snakemake.log[0])

from pathlib import Path

from mammoflow import provenance, reporting, storage, tables, tables_of_paper

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
found = {
    params.labels["datasets"][name]: tables.read(path, "reconciliation")
    for name, path in zip(params.datasets, given.reconciliation, strict=True)
}
text = reporting.page(shown, found, params.config, params.labels, provenance.record())
with storage.whole(snakemake.output.page) as temporary:
    temporary.write_text(text, encoding="utf-8")
logs.announce(f"{snakemake.output.page}: {len(shown)} tables and figures, {len(text) / 2**20:.1f} MB")
