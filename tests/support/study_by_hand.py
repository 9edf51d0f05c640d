"""The results of a study written by hand: index, images store and folds of two data sets."""

import numpy as np
import pandas as pd

from mammoflow.base import storage
from mammoflow.base.boxes import BOX
from mammoflow.base.contracts.index import IMAGES, LESIONS
from mammoflow.base.contracts.splits import SPLITS
from mammoflow.breasts import image_store
from mammoflow.breasts.geometry import Geometry

# Image, place of the stored breast, and masses in original pixels. The first mass of "c" extends beyond the
# crop, and the second is outside it.
CASES = {
    "a": (Geometry(120, 100, 10, 0, 110, 71, False, 1.0), [(20, 10, 60, 40), (70, 30, 90, 50)]),
    "b": (Geometry(120, 100, 10, 29, 110, 100, True, 2.5), [(31, 47, 62, 81)]),
    "c": (Geometry(120, 100, 10, 0, 110, 71, False, 1.5), [(100, 20, 118, 40), (20, 80, 40, 95)]),
    "d": (Geometry(120, 100, 0, 20, 120, 100, True, 3.0), []),
    "e": (Geometry(90, 80, 5, 0, 85, 60, False, 2.0), []),
    "f": (Geometry(90, 80, 5, 20, 85, 80, True, 2.0), [(30, 40, 50, 60)]),
}
# Role of each image in the folds 0, 1 and 2: three patients of two images.
ROLES = {"ab": "tvr", "cd": "rtv", "ef": "vrt"}
_WORDS = {"r": "train", "v": "validation", "t": "test"}


def stored(image_id):
    """A stored image of noise in a breast that is its left half."""
    geometry, masses = CASES[image_id]
    pixels = np.random.default_rng(ord(image_id)).integers(100, 4000, geometry.shape).astype(np.uint16)
    breast = np.zeros(geometry.shape, bool)
    breast[:, : geometry.shape[1] // 2 + 1] = True
    return image_store.StoredImage(
        image_id,
        pixels,
        breast,
        np.zeros(geometry.shape, np.uint8),
        geometry,
        "",
        len(masses),
        f"sha-{image_id}",
    )


def images():
    """Table of the images."""
    rows = [
        {
            "image_id": name,
            "patient_id": f"SECRET {patient}",
            "laterality": "R" if place.mirrored else "L",
            "view": "CC",
            "official_split": "",
            "path": f"SECRET/{name}.dcm",
            "rows": place.rows,
            "columns": place.columns,
            "spacing_mm": 0.1,
            "spacing_source": "release",
            "flags": "",
        }
        for patient in ROLES
        for name in patient
        for place in [CASES[name][0]]
    ]
    return IMAGES.check(pd.DataFrame(rows))


def lesions():
    """Table of the masses."""
    rows = [
        {
            "image_id": name,
            "lesion_id": f"{name}-{number}",
            **dict(zip(BOX, box, strict=True)),
            "area_px": (box[2] - box[0]) * (box[3] - box[1]),
            "area_cm2": 1.0,
            "pathology": "",
            "source": f"SECRET/{name}.xml",
        }
        for name, (_, boxes) in CASES.items()
        for number, box in enumerate(boxes)
    ]
    return LESIONS.check(pd.DataFrame(rows))


def splits():
    """Table of the folds."""
    rows = [
        {"image_id": name, "patient_id": f"SECRET {patient}", "fold": fold, "role": _WORDS[role]}
        for patient, roles in ROLES.items()
        for name in patient
        for fold, role in enumerate(roles)
    ]
    return SPLITS.check(pd.DataFrame(rows))


def write(results, dataset="films"):
    """Write the results; a second data set, ``other``, has an index alone."""
    for name in (dataset, "other"):
        IMAGES.write(images(), results / f"index/{name}/images.csv")
        LESIONS.write(lesions(), results / f"index/{name}/lesions.csv")
    SPLITS.write(splits(), results / f"splits/{dataset}.csv")
    for shard, names in enumerate(("abc", "def")):
        with storage.create_hdf5(results / f"images/{dataset}/shard-{shard}.h5") as file:
            for name in names:
                image_store.write(file, stored(name))
    return results
