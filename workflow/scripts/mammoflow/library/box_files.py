"""Reads anybody's detections and truth from CSV or COCO files."""

from pathlib import Path
from typing import NamedTuple

import pandas as pd

from mammoflow.base import coco, user_tables
from mammoflow.base.boxes import BOX
from mammoflow.base.contracts.detections import EXTERNAL
from mammoflow.evaluation import external

_LESIONS, _IMAGES = ["image_id", *BOX], ["image_id"]


class Truth(NamedTuple):
    """Images that were searched, the lesions in them, and images by COCO's ``id`` (None without COCO)."""

    images: pd.DataFrame
    lesions: pd.DataFrame
    names: dict[object, str] | None


def truth(path: str | Path, images: str | Path | None = None) -> Truth:
    """Truth from a file.

    Parameters
    ----------
    path : str or Path
        A COCO data set (``.json``); or a table of lesions with image_id, y0, x0, y1 and x1, and area_cm2 and
        pathology if they are known.
    images : str or Path, optional
        Needed with a table of lesions: a table of all images that were searched, with image_id, and
        patient_id and laterality if they are known.

    Raises
    ------
    ValueError
        When a file is another one, or the table of images is missing.
    """
    if _is_json(path):
        if images is not None:
            raise ValueError(f"{images}: expected no table of images, because {path} lists them")
        return Truth(*coco.truth(coco.read(path), str(path)))
    if images is None:
        raise ValueError(
            f"{path}: expected --images, a table of all images that were searched, those without a lesion "
            "too; a table of lesions does not list them"
        )
    lesions = user_tables.read(Path(path), _LESIONS, "a table of lesions")
    if "area_cm2" in lesions:
        lesions["area_cm2"] = pd.to_numeric(lesions["area_cm2"], errors="coerce")
    return Truth(user_tables.read(Path(images), _IMAGES, "a table of images"), lesions, None)


def detections(path: str | Path, names: dict[object, str] | None = None) -> pd.DataFrame:
    """Detections from a file: COCO results (``.json``), or a table with image_id, y0, x0, y1, x1 and score.

    Parameters
    ----------
    path : str or Path
        The file.
    names : dict, optional
        Of `truth`: COCO results name images as the truth does.

    Raises
    ------
    ValueError
        When the file is neither.
    """
    if _is_json(path) and names is not None:
        return EXTERNAL.check(coco.results(coco.read(path), str(path), names), origin=str(path))
    return external.read(path)


def _is_json(path: str | Path) -> bool:
    return Path(path).suffix.lower() == ".json"
