"""List the lesions of a data set as annotated, before overlapping ones are merged."""

from mammoflow.base import logs

logs.redirect(snakemake.log[0])

from functools import partial
from pathlib import Path

from mammoflow import archives
from mammoflow.archives import contours
from mammoflow.base.contracts.index import IMAGES, LESIONS

inputs, params = snakemake.input, snakemake.params
lesions = LESIONS.read(inputs.lesions)
read_mask = partial(archives.archive(params.archive).lesion_mask, Path(params.root))
single = contours.unmerged(lesions, IMAGES.read(inputs.images), read_mask)
LESIONS.write(single, snakemake.output.contours)
logs.announce(f"{snakemake.output.contours}: {len(single)} contours of {len(lesions)} lesions")
