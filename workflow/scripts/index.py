"""Index a release: images, masses, exclusions with reasons, and a comparison with the paper's counts."""

from mammoflow.base import logs

logs.redirect(snakemake.log[0])

from pathlib import Path

from mammoflow import archives
from mammoflow.archives import release
from mammoflow.base.contracts.index import EXCLUDED, IMAGES, LESIONS, RECONCILIATION

params, output = snakemake.params, snakemake.output
index = archives.archive(params.archive).index(Path(params.root), snakemake.threads, **params.settings)
IMAGES.write(index.images, output.images)
LESIONS.write(index.lesions, output.lesions)
EXCLUDED.write(index.excluded, output.excluded)
RECONCILIATION.write(index.reconciliation, output.reconciliation)
print(index.reconciliation.to_string(index=False))
found = index.reconciliation.set_index("quantity")["found"]
contours = f" of {found['contours']:.0f} contours" if "contours" in found else ""
logs.announce(
    f"{snakemake.wildcards.dataset}: {len(index.images)} images of {index.images['patient_id'].nunique()} "
    f"patients, {len(index.lesions)} masses{contours}, {len(index.excluded)} exclusions"
)
for remark in release.remarks(index):
    logs.announce(f"{snakemake.wildcards.dataset}: {remark}")
