"""What the loaders of all archives share: the files under a root, and the index they make."""

import filecmp
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import nan
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from mammoflow import dicom
from mammoflow.boxes import BOX, bounding_box
from mammoflow.contracts.index import EXCLUDED, IMAGES, LESIONS, RECONCILIATION
from mammoflow.datasets import marks
from mammoflow.exclusions import Excluded
from mammoflow.tables import Table


@dataclass(frozen=True)
class Index:
    """What a release holds; each a table of `contracts.index`."""

    images: pd.DataFrame
    lesions: pd.DataFrame
    excluded: pd.DataFrame
    reconciliation: pd.DataFrame


@dataclass
class Files:
    """Files under a root, by POSIX path relative to it.

    Parameters
    ----------
    root : Path
        Resolved.
    paths : list of str
        Files that may matter, sorted.
    plain : int
        Files that are plainly not part of a release: leftovers of an operating system.
    excluded : list of dict
        Rows of ``excluded.csv``.
    """

    root: Path
    paths: list[str] = field(default_factory=list)
    plain: int = 0
    excluded: list[dict[str, str]] = field(default_factory=list)

    def exclude(self, path: str, error: Excluded) -> None:
        """Add a row to the exclusions; what is not UTF-8 in the path is written with backslashes."""
        path = path.encode(errors="backslashreplace").decode()
        self.excluded.append({"path": path, "reason": error.reason, "detail": error.detail})


def walk(root: Path) -> Files:
    """Every file under a root, except what an operating system left there.

    Raises
    ------
    ValueError
        When the root is not a folder.
    """
    root = Path(root)
    if not root.is_dir():
        raise ValueError(f"{root}: expected the folder of a release, found none")
    files = Files(root.resolve())
    for folder, subfolders, names in os.walk(files.root):
        for name in sorted(subfolders):
            if (Path(folder) / name).is_symlink():
                files.exclude(_relative(files.root, folder, name), Excluded("symbolic-link"))
        for name in sorted(names):
            path = _relative(files.root, folder, name)
            if name.startswith("._") or name in (".DS_Store", "Thumbs.db") or "__MACOSX" in path:
                files.plain += 1
                continue
            try:
                if not _is_utf8(path):
                    raise Excluded("name", "expected a path in UTF-8")
                inside(files.root, path)
                files.paths.append(path)
            except Excluded as error:
                files.exclude(path, error)
    files.paths.sort()
    return files


def _relative(root: Path, folder: str, name: str) -> str:
    return (Path(folder) / name).relative_to(root).as_posix()


def _is_utf8(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def inside(root: Path, path: str) -> Path:
    """Path of a file named by a table, if it stays under the root once links are followed.

    Parameters
    ----------
    root : Path
        Root of the release.
    path : str
        Relative, with either separator.

    Raises
    ------
    Excluded
        ``outside-root``, or ``missing-file``.
    """
    root = Path(root).resolve()
    if "\0" in path:
        raise Excluded("outside-root", "the path holds a NUL character")
    resolved = (root / path.replace("\\", "/")).resolve()
    if not resolved.is_relative_to(root):
        raise Excluded("outside-root")
    if not resolved.is_file():
        raise Excluded("missing-file")
    return resolved


def require_copies(root: Path, paths: Sequence[str]) -> None:
    """Raise unless the files of some paths have one name and the same bytes.

    Raises
    ------
    Excluded
        ``duplicate``: which of them is the right one cannot be told.
    """
    first, *others = [inside(root, path) for path in paths]
    for other in others:
        if other.name.lower() != first.name.lower() or not filecmp.cmp(first, other, shallow=False):
            raise Excluded("duplicate", "files of one image that are not copies of each other")


def table_path(files: Files, names: Sequence[str]) -> str:
    """Path of the one table of a release; see `marks.find` for where it may lie.

    Parameters
    ----------
    files : Files
        Of `walk`.
    names : sequence of str
        Alternatives, the preferred one first.

    Raises
    ------
    ValueError
        When there is none, or a second one of the same name.
    """
    found = marks.find(files.root, names)
    if found is None:
        raise ValueError(
            f"{files.root}: expected {' or '.join(names)} there or up to {marks.LEVELS} folders below, "
            "found none"
        )
    same = [path for path in files.paths if PurePosixPath(path).name == found.name]
    if len(same) > 1:
        raise ValueError(f"{files.root}: expected one {found.name}, found {', '.join(same)}")
    return found.relative_to(files.root).as_posix()


def read_csv(path: Path, kind: str, separator: str = ",") -> pd.DataFrame:
    """Table of texts, its header without blanks around the names.

    Parameters
    ----------
    path : Path
        In UTF-8.
    kind : str
        What is expected, for the message: ``a table of …``.
    separator : str
        Between fields. Rows may end in one more than the header has.

    Raises
    ------
    ValueError
        When the file is no such table, or a field has no column.
    """
    try:
        frame = pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except ValueError as error:  # of pandas (nothing there, a row too long) or of the encoding
        raise unreadable_table(path, kind, error) from error
    names = frame.columns.str.strip()
    if not isinstance(frame.index, pd.RangeIndex):
        # Rows are longer than the header: pandas has taken their first fields for an index.
        frame = frame.reset_index(allow_duplicates=True)
        if (frame.iloc[:, len(names) :] != "").any(axis=None):
            raise ValueError(f"{path}: expected {kind}, got rows with more fields than the header")
    return frame.iloc[:, : len(names)].set_axis(names, axis=1)


def unreadable_table(path: Path, kind: str, error: Exception) -> ValueError:
    """Error that says, in one line, what was expected of a file that pandas cannot read."""
    return ValueError(f"{path}: expected {kind}, got {type(error).__name__} ({' '.join(str(error).split())})")


def read_dicom(root: Path, path: str) -> np.ndarray:
    """Grey values of one image of ``images.csv``; see `dicom.decode`."""
    return dicom.decode(inside(root, path))


def is_image(root: Path, path: str) -> bool:
    """Whether a file is, or by its name should be, a DICOM object."""
    return PurePosixPath(path).suffix.lower() in (".dcm", ".dicom") or dicom.is_dicom(inside(root, path))


def lesion_row(
    image_id: str, lesion_id: str, mask: np.ndarray, spacing_mm: float | None, pathology: str, source: str
) -> dict[str, object]:
    """Row of ``lesions.csv`` for a mask in original pixels; its area in cm² is empty where mm are unknown."""
    area_px = int(np.count_nonzero(mask))
    return {
        "image_id": image_id,
        "lesion_id": lesion_id,
        **dict(zip(BOX, bounding_box(mask), strict=True)),
        "area_px": area_px,
        "area_cm2": area_px * (spacing_mm / 10) ** 2 if spacing_mm else nan,
        "pathology": pathology,
        "source": source,
    }


def lesion_excluded(failures: int, masses: int) -> Excluded:
    """Why an image with a mass that cannot be used is left out whole.

    Without that mass it would pass for complete: the mass drawn as background, and a box on it
    counted as a false positive.
    """
    return Excluded("lesion-excluded", f"{failures} of the image's {masses} masses cannot be used")


def make_index(
    files: Files,
    images: list[dict[str, object]],
    lesions: list[dict[str, object]],
    paper: Mapping[str, float],
    found: Mapping[str, float],
    used: int,
) -> Index:
    """Index of a release, its counts held against the paper's.

    Parameters
    ----------
    files : Files
        What lies under the root, and what of it was left out.
    images, lesions : list of dict
        Rows of the tables.
    paper : mapping
        Quantity to the paper's number; a quantity of ``found`` that is not here has none.
    found : mapping
        Quantity to the number found, in the order of the rows.
    used : int
        Files that were used: images, annotations, tables.

    Raises
    ------
    ValueError
        When no image is usable.
    """
    if not images:
        reasons = Counter(row["reason"] for row in files.excluded)
        listed = ", ".join(f"{count} × {reason}" for reason, count in reasons.most_common(3))
        raise ValueError(
            f"{files.root}: expected at least one usable image, found none ({listed or 'no image file'})"
        )
    found = {
        **found,
        "files used": used,
        "files and rows excluded": len(files.excluded),
        "files that are plainly not images": files.plain,
    }
    reconciliation = [
        {
            "quantity": quantity,
            "paper": paper.get(quantity, nan),
            "found": number,
            "difference": number - paper.get(quantity, nan),
        }
        for quantity, number in found.items()
    ]
    return Index(
        images=_table(IMAGES, images, "image_id"),
        lesions=_table(LESIONS, lesions, "image_id"),
        excluded=_table(EXCLUDED, files.excluded, "path"),
        reconciliation=RECONCILIATION.check(pd.DataFrame(reconciliation), origin="reconciliation"),
    )


def _table(table: Table, rows: Iterable[dict[str, object]], order: str) -> pd.DataFrame:
    frame = pd.DataFrame(list(rows), columns=list(table.columns))
    return table.check(frame.sort_values(order, kind="stable"), origin=table.name)
