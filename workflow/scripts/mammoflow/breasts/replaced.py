"""Finds images of an archive that have changed since the images store was built from it."""

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
    """Decode every image of an index again and list those that differ from the stored ones.

    Parameters
    ----------
    table, lesions, stored : pandas.DataFrame
        The index, and the 'stored' tables of all its shards.
    archive : module of mammoflow.archives
        Reads images and masses.
    root : Path
        Root of the release.
    threads : int
        Images decoded at the same time.

    Returns
    -------
    pandas.DataFrame
        A 'replaced' table: the images that differ, and the stage to re-run from: `images`, or `index` if
        the size or the masses differ as well. Files that are not listed in the index are not checked.
    """
    before = stored.set_index("image_id")
    replaced = []
    tasks = filling.tasks(table, lesions)
    now = pool.ordered(partial(_now, archive, root), tasks, threads)
    for task, (digest, as_indexed) in zip(tasks, now, strict=True):
        was = before.loc[task.image_id]
        if digest != was["pixels_sha256"] or (was["stored"] and not as_indexed):
            replaced.append((task.image_id, "images" if as_indexed else "index"))
    return REPLACED.check(pd.DataFrame(replaced, columns=list(REPLACED.columns)), origin="replaced")


def _now(archive: Archive, root: Path, task: Task) -> tuple[str, bool]:
    """Digest of an image's grey values (empty if undecodable), and whether it agrees with the index."""
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
