"""Counts of every data set and fold beside the paper's."""

from mammoflow import logs

logs.redirect(snakemake.log[0])

from mammoflow import reconciliation, tables_of_paper
from mammoflow.contracts.index import LESIONS, RECONCILIATION
from mammoflow.contracts.stored import STORED

given, params, output = snakemake.input, snakemake.params, snakemake.output
releases = {}
for label, counts, lesions, stored in zip(
    params.labels, given.releases, given.lesions, given.stored, strict=True
):
    of_store = reconciliation.of_store(STORED.read(stored), LESIONS.read(lesions))
    releases[label] = [RECONCILIATION.read(counts), of_store]
table = reconciliation.table(releases, tables_of_paper.read(given.description), params.archives)
tables_of_paper.write(table, "reconciliation", output.csv, output.markdown)
differing = int((table["difference"].abs() > 0).sum())
logs.announce(f"{output.csv}: {len(table)} counts; {differing} differ from the paper's")
