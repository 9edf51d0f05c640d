"""Find the boxes of the components of each probability map at all thresholds."""

from mammoflow.base import logs

logs.redirect(snakemake.log[0])

from mammoflow.base.contracts.detections import DETECTIONS
from mammoflow.detection import components, mpm

maps = mpm.open_maps(snakemake.input.mpm)
boxes = components.detections(maps, snakemake.params.levels, snakemake.threads)
DETECTIONS.write(boxes, snakemake.output.detections)
logs.announce(
    f"{snakemake.output.detections}: boxes at {boxes['threshold'].nunique()} thresholds "
    f"in {boxes['image_id'].nunique()} of {len(maps)} images"
)
