"""Draw a contact sheet of the breast regions of a data set."""

from mammoflow.base import logs

logs.redirect(snakemake.log[0])

import pandas as pd

from mammoflow.base import storage
from mammoflow.base.contracts.index import LESIONS
from mammoflow.base.contracts.stored import STORED
from mammoflow.breasts import image_store
from mammoflow.report.figures import breast_regions, style

overviews = {}
for path in snakemake.input.stores:
    with storage.open_hdf5(path) as file:
        overviews.update(image_store.read_overviews(file))
stored = pd.concat(map(STORED.read, snakemake.input.stored))
unseen = stored.loc[~stored["image_id"].isin(overviews), "reason"].value_counts().to_dict()
tiles = breast_regions.tiles(stored, LESIONS.read(snakemake.input.lesions), overviews.items())
style.save(breast_regions.draw(tiles, unseen, snakemake.params.label), snakemake.output.png)
logs.announce(f"{snakemake.output.png}: {breast_regions.summary(tiles, unseen)}")
