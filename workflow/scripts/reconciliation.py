"""Compare the counts of every data set and fold with the paper's."""

from mammoflow.base import logs

logs.redirect(snakemake.log[0])

from mammoflow.base.contracts.index import LESIONS, RECONCILIATION
from mammoflow.base.contracts.stored import STORED
from mammoflow.report import reconciliation
from mammoflow.report.tables import presentation
from mammoflow.report.tables.study_counts import PRESENTATION

inputs, params, output = snakemake.input, snakemake.params, snakemake.output
releases = {}
for dataset, counts, lesions, stored in zip(
    params.datasets, inputs.releases, inputs.lesions, inputs.stored, strict=True
):
    of_store = reconciliation.of_store(STORED.read(stored), LESIONS.read(lesions))
    releases[params.labels["datasets"][dataset]] = [RECONCILIATION.read(counts), of_store]
table = reconciliation.table(releases, presentation.read(inputs.description), params.archives)
presentation.write(table, PRESENTATION, output.csv, output.markdown)
differing = int((table["difference"].abs() > 0).sum())
logs.announce(f"{output.csv}: {len(table)} counts; {differing} differ from the paper's")
