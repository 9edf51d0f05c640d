"""Find the boxes of the components of each probability map at all thresholds."""

from mammoflow.base import logs

logs.redirect(snakemake.log[0])

from mammoflow.base import storage
from mammoflow.base.contracts.detections import DETECTIONS
from mammoflow.detection import components, mpm

with storage.open_hdf5(snakemake.input.mpm) as file:
    images = len(mpm.image_ids(file))
    boxes = components.detections(file, snakemake.params.levels, snakemake.threads)
DETECTIONS.write(boxes, snakemake.output.detections)
logs.announce(
    f"{snakemake.output.detections}: boxes at {boxes['threshold'].nunique()} thresholds "
    f"in {boxes['image_id'].nunique()} of {images} images"
)
