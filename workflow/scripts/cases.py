"""Name the test images of a data set for its review pages."""

from mammoflow.base import logs

logs.redirect(snakemake.log[0])

from mammoflow.base.contracts.index import IMAGES
from mammoflow.base.contracts.review import CASES
from mammoflow.base.contracts.splits import SPLITS
from mammoflow.report.review import cases

given = snakemake.input
named = cases.named(SPLITS.read(given.splits), IMAGES.read(given.images))
CASES.write(named, snakemake.output.cases)
logs.announce(f"{snakemake.output.cases}: {len(named)} test images")
