"""What is written of every image, and of all images together, by the names of the option ``--formats``.

A format is one function. Those of `OF_IMAGE` are called once for each image, with its findings (which have
the path of the source file, for formats that refer to it), and write one file.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mammoflow.application import drawings, gallery
from mammoflow.base import coco
from mammoflow.base.boxes import BOX
from mammoflow.base.contracts.detected import DETECTED, LEFT_OUT
from mammoflow.base.contracts.detections import CANDIDATES
from mammoflow.breasts.image_store import StoredImage
from mammoflow.detection.findings import Findings
from mammoflow.detection.mpm import Grid

OfImage = Callable[[Findings, StoredImage, Grid, Path], None]


@dataclass(frozen=True)
class Written:
    """A format with a file for each image.

    Parameters
    ----------
    folder, suffix : str
        The file is ``folder/{image_id}suffix``.
    write : function
        Writes it.
    """

    folder: str
    suffix: str
    write: OfImage

    def path(self, out: Path, image_id: str) -> Path:
        """The file of an image."""
        return out / self.folder / f"{image_id}{self.suffix}"


OF_IMAGE = {
    "overlay": Written("overlays", ".png", drawings.overlay),
    "heat-map": Written("heat-maps", ".png", drawings.heat_map),
}


def _coco(found: Sequence[Findings], left_out: pd.DataFrame, out: Path, shown: Sequence[str]) -> list[str]:
    coco.write(boxes_of(found), images_of(found), out / "coco-results.json", out / "coco-images.json")
    return []


def _dicom(found: Sequence[Findings], left_out: pd.DataFrame, out: Path, shown: Sequence[str]) -> list[str]:
    from mammoflow.application import dicom_files  # highdicom takes a second

    return dicom_files.write(found, out)


def _page(found: Sequence[Findings], left_out: pd.DataFrame, out: Path, shown: Sequence[str]) -> list[str]:
    pictures = {
        name: OF_IMAGE[name] for name in shown if name in OF_IMAGE and OF_IMAGE[name].suffix == ".png"
    }
    gallery.write(found, left_out, pictures, out)
    return []


OF_ALL = {"coco": _coco, "dicom": _dicom, "page": _page}
NAMES = ("csv", *OF_IMAGE, *OF_ALL)


def write_tables(
    found: Sequence[Findings], left_out: pd.DataFrame, out: Path, names: Sequence[str]
) -> list[str]:
    """Write what is written of all images together.

    Parameters
    ----------
    found : sequence of Findings
        Of every image.
    left_out : pandas.DataFrame
        A ``left-out`` table.
    out : Path
        Folder.
    names : sequence of str
        Formats; the tables are always written.

    Returns
    -------
    list of str
        A sentence for each image of which a format could not be written.
    """
    CANDIDATES.write(boxes_of(found), out / "detections.csv")
    DETECTED.write(images_of(found), out / "images.csv")
    LEFT_OUT.write(left_out, out / "excluded.csv")
    return [
        sentence for name in names if name in OF_ALL for sentence in OF_ALL[name](found, left_out, out, names)
    ]


def boxes_of(found: Sequence[Findings]) -> pd.DataFrame:
    """All boxes: a ``candidates`` table."""
    tables = [
        pd.DataFrame(each.boxes, columns=BOX).assign(image_id=each.image_id, score=each.scores)
        for each in found
        if len(each.boxes)
    ]
    columns = list(CANDIDATES.columns)
    return pd.concat(tables, ignore_index=True)[columns] if tables else pd.DataFrame(columns=columns)


def images_of(found: Sequence[Findings]) -> pd.DataFrame:
    """All images that were searched: a ``detected`` table."""
    columns = [name for name in DETECTED.columns if name != "boxes"]
    rows = [{name: getattr(each, name) for name in columns} | {"boxes": len(each.boxes)} for each in found]
    return pd.DataFrame(rows, columns=list(DETECTED.columns))
