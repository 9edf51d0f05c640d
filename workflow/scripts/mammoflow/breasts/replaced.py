"""Which images of an archive are no longer what the images store was made of."""

from functools import partial
from pathlib import Path

import pandas as pd

from mammoflow.base import pool
from mammoflow.base.contracts.index import REPLACED
from mammoflow.base.exclusions import Excluded
from mammoflow.breasts import filling, preparation
from mammoflow.breasts.filling import Archive, Task


def find(
    table: pd.DataFrame,
    lesions: pd.DataFrame,
    stored: pd.DataFrame,
    archive: Archive,
    root: Path,
    threads: int,
) -> pd.DataFrame:
    """Decode every image of an index once more and compare it with what was stored.

    Parameters
    ----------
    table, lesions, stored : pandas.DataFrame
        The index, and the 'stored' tables of all its shards.
    archive : module of mammoflow.archives
        How images and masses are read.
    root : Path
        Root of the release.
    threads : int
        Images decoded at the same time.

    Returns
    -------
    pandas.DataFrame
        A 'replaced' table: images that differ, and where to begin, at the `images` stage, or at the
        `index` where sizes or masses differ too. Files that the index does not list are not looked at.
    """
    before = stored.set_index("image_id")
    found = []
    tasks = filling.tasks(table, lesions)
    now = pool.ordered(partial(_now, archive, root), tasks, threads)
    for task, (digest, as_indexed) in zip(tasks, now, strict=True):
        was = before.loc[task.image_id]
        if digest != was["pixels_sha256"] or (was["stored"] and not as_indexed):
            found.append((task.image_id, "images" if as_indexed else "index"))
    return REPLACED.check(pd.DataFrame(found, columns=list(REPLACED.columns)), origin="replaced")


def _now(archive: Archive, root: Path, task: Task) -> tuple[str, bool]:
    """Digest of an image's grey values, if it can be decoded, and whether all is as the index says."""
    try:
        image = archive.read_image(root, task.path)
    except Excluded:
        return "", False
    digest = preparation.pixels_digest(image)
    try:
        filling.masks_of(task, partial(archive.lesion_mask, root))
    except Excluded:
        return digest, False
    return digest, image.shape == task.shape
