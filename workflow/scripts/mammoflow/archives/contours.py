"""Lists lesions as annotated, before those with overlapping boxes are merged."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from mammoflow.base.boxes import BOX, bounding_box

ReadMask = Callable[[str, tuple[int, int]], np.ndarray]


def unmerged(lesions: pd.DataFrame, images: pd.DataFrame, read_mask: ReadMask) -> pd.DataFrame:
    """A row for each annotated contour.

    Parameters
    ----------
    lesions, images : pandas.DataFrame
        Tables of the index. The source of a merged lesion names its parts, as in ``file#2+5``.
    read_mask : function
        Pixels of a source in an image of a shape, as `datasets` gives them.

    Returns
    -------
    pandas.DataFrame
        A ``lesions`` table: a lesion that is not merged as it is, the parts of the others in its place.
    """
    shapes = images.set_index("image_id")[["rows", "columns"]]
    rows = []
    for lesion in lesions.to_dict("records"):
        file, _, places = lesion["source"].rpartition("#")
        parts = places.split("+")
        if not file or len(parts) == 1:
            rows.append(lesion)
            continue
        shape = tuple(map(int, shapes.loc[lesion["image_id"]]))
        for place in parts:
            mask = read_mask(f"{file}#{place}", shape)
            area = int(np.count_nonzero(mask))
            rows.append(
                {
                    **lesion,
                    **dict(zip(BOX, bounding_box(mask), strict=True)),
                    "lesion_id": f"{lesion['lesion_id']}.{place}",
                    "area_px": area,
                    "area_cm2": lesion["area_cm2"] * area / lesion["area_px"],
                    "source": f"{file}#{place}",
                }
            )
    return pd.DataFrame(rows, columns=list(lesions.columns))
