"""Write the pictures, thumbnails and facts of the test images of a shard for the review pages."""

from mammoflow.base import logs

logs.redirect(snakemake.log[0])

from mammoflow.base.contracts.index import IMAGES, LESIONS
from mammoflow.base.contracts.review import CASES
from mammoflow.breasts import image_store
from mammoflow.report.review import javascript, review_pictures

given, output, params = snakemake.input, snakemake.output, snakemake.params
shard = snakemake.wildcards.shard
store, images = image_store.open_store(given.store), IMAGES.read(given.images).set_index("image_id")
lesions = LESIONS.read(given.lesions)

shown = review_pictures.of_shard(store, CASES.read(given.cases), images, lesions, params.edges)
javascript.write(output.cases, f"cases-{shard}", shown.facts)
written = javascript.write(output.images, f"images-{shard}", shown.images)
javascript.write(output.thumbnails, f"thumbnails-{shard}", shown.thumbnails)
logs.announce(f"{output.images}: {len(shown.images)} images, {written / 1e6:.1f} MB")
