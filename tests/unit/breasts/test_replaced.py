"""Images of an archive that have changed since they were stored."""

import numpy as np
import pandas as pd
import pytest

from mammoflow.base.boxes import BOX
from mammoflow.base.contracts.stored import STORED
from mammoflow.base.exclusions import Excluded
from mammoflow.breasts import preparation, replaced

SHAPE, MASS = (40, 30), (5, 6, 9, 8)
PIXELS = np.arange(1200, dtype=np.uint16).reshape(SHAPE)

TABLE = pd.DataFrame(
    {
        "image_id": ["with-mass", "normal", "damaged"],
        "path": ["with-mass", "normal", "damaged"],
        "laterality": "L",
        "spacing_mm": 0.1,
        "rows": SHAPE[0],
        "columns": SHAPE[1],
    }
)
LESIONS = pd.DataFrame(
    [{"image_id": "with-mass", "source": "", **dict(zip(BOX, MASS, strict=True)), "area_px": 8}]
)


class Archive:
    """Images and the box of a mass; other ones where they are given."""

    def __init__(self, mass=MASS, **pixels):
        self.mass = mass
        self.pixels = {"with-mass": PIXELS, "normal": PIXELS + 1, "damaged": None} | pixels

    def read_image(self, root, path):
        if self.pixels[path] is None:
            raise Excluded("truncated")
        return self.pixels[path]

    def lesion_mask(self, root, source, shape):
        y0, x0, y1, x1 = self.mass
        mask = np.zeros(shape, bool)
        mask[y0:y1, x0:x1] = True
        return mask


@pytest.mark.parametrize(
    ("archive", "expected"),
    [
        (Archive(), {}),
        (Archive(normal=PIXELS + 2), {"normal": "images"}),
        (Archive(normal=PIXELS.T), {"normal": "index"}),
        (Archive(normal=None), {"normal": "index"}),
        (Archive(damaged=PIXELS + 3), {"damaged": "images"}),
        (Archive(mass=(5, 6, 9, 9)), {"with-mass": "index"}),
        (Archive(**{"with-mass": PIXELS + 4}), {"with-mass": "images"}),
    ],
    ids=["same", "pixels", "size", "missing", "mended", "mass", "pixels around a mass"],
)
def test_found(archive, expected):
    first = Archive()
    stored = STORED.check(
        pd.DataFrame(
            [
                (
                    name,
                    image is not None,
                    "",
                    "",
                    "" if image is None else preparation.pixels_digest(image),
                    "",
                )
                for name, image in first.pixels.items()
            ],
            columns=list(STORED.columns),
        ),
        origin="stored",
    )
    found = replaced.find(TABLE, LESIONS, stored, archive, None, 2)
    assert dict(zip(found["image_id"], found["begins"], strict=True)) == expected
