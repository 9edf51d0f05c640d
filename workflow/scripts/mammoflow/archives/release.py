"""Shared parts of the loaders of all archives: listing the files of a release and building its index."""

import filecmp
import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import nan
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from mammoflow.archives import marks
from mammoflow.base import user_tables
from mammoflow.base.boxes import BOX, bounding_box
from mammoflow.base.contracts.index import EXCLUDED, IMAGES, LESIONS, RECONCILIATION
from mammoflow.base.contracts.table import Table
from mammoflow.base.exclusions import REASONS, Excluded, unreadable
from mammoflow.dicom import grey_values, headers

# Names, suffixes and reasons in a message.
SHOWN = 3

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


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
        """Add a row to the exclusions; what no table can hold of the path is written with backslashes."""
        path = path.encode(errors="backslashreplace").decode()
        path = _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), path)
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
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(files.root / folder) as entries:
                entries = list(entries)
        except OSError as error:
            files.exclude(
                folder, Excluded("unreadable", f"a folder that cannot be opened ({type(error).__name__})")
            )
            continue
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_dir(follow_symlinks=False):
                folders.append(path)
            else:
                _add(files, path, entry)
    files.paths.sort()
    files.excluded.sort(key=lambda row: row["path"])
    return files


def _add(files: Files, path: str, entry: os.DirEntry) -> None:
    """File what is not a folder under what it is: a path, a leftover or an exclusion."""
    try:
        if entry.is_symlink() and os.path.isdir(entry):
            raise Excluded("symbolic-link")
        if _is_leftover(path):
            files.plain += 1
            return
        if not _is_writable(path):
            raise Excluded("name", "expected a path in UTF-8 without control characters")
        if entry.is_symlink():
            inside(files.root, path)
        elif not entry.is_file():
            raise Excluded("unreadable", "neither a file nor a folder")
        files.paths.append(path)
    except Excluded as error:
        files.exclude(path, error)


def _is_leftover(path: str) -> bool:
    """Whether an operating system left a file there."""
    *folders, name = path.split("/")
    return name.startswith("._") or name in (".DS_Store", "Thumbs.db") or "__MACOSX" in folders


def _is_writable(path: str) -> bool:
    """Whether a table in UTF-8 can hold a path."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return not _CONTROL.search(path)


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
    try:
        resolved = (root / path.replace("\\", "/")).resolve()
        is_file = resolved.is_file()
    except (OSError, RuntimeError) as error:  # a name that is too long, links that lead to each other
        raise Excluded("missing-file", f"a path that leads nowhere ({type(error).__name__})") from error
    if not resolved.is_relative_to(root):
        raise Excluded("outside-root")
    if not is_file:
        raise Excluded("missing-file")
    return resolved


def require_some(files: Files, kind: str, is_one: Callable[[str], bool]) -> None:
    """Refuse a root without a file of the kind that the images of an archive are.

    Parameters
    ----------
    files : Files
        Of `walk`.
    kind : str
        For the message: ``DICOM files of …``.
    is_one : callable
        Whether a path is of the kind.

    Raises
    ------
    ValueError
        With what is there instead.
    """
    if any(map(is_one, files.paths)):
        return
    suffixes = Counter(PurePosixPath(path).suffix.lower() for path in files.paths)
    found = [
        f"{count:,} {suffix + ' ' if suffix else ''}{'file' if count == 1 else 'files'}"
        f"{'' if suffix else ' without a suffix'}"
        for suffix, count in suffixes.most_common(SHOWN)
    ]
    rest = sum(suffixes.values()) - sum(count for _, count in suffixes.most_common(SHOWN))
    found += [f"{rest:,} others"] if rest else []
    raise ValueError(
        f"{files.root}: expected {kind}, found {', '.join(found + _reasons(files)) or 'no file'}"
    )


def _reasons(files: Files) -> list[str]:
    """Most frequent reasons of what is excluded, in words; links to folders always, as they hide files."""
    counts = Counter(row["reason"] for row in files.excluded)
    links = _linked_folders(files.excluded)
    return [
        f"{count:,} × {reason} ({REASONS[reason]})"
        for reason, count in counts.most_common(SHOWN)
        if reason != "symbolic-link"
    ] + ([marks.not_followed(links)] if links else [])


def _linked_folders(excluded: Iterable[Mapping[str, str]]) -> list[str]:
    """Paths of folders that are links, among rows of ``excluded.csv``."""
    return [row["path"] for row in excluded if row["reason"] == "symbolic-link"]


def remarks(index: Index) -> list[str]:
    """What a user should know at once: folders that were not followed; sides that disagree or are unknown."""
    links = _linked_folders(index.excluded.to_dict("records"))
    disagree = index.images["flags"].str.contains("laterality-(?:header|table)").sum()
    found = [f"found {marks.not_followed(links)}"] if links else []
    if disagree:
        found.append(f"the header or the table gives another side for {disagree} images; see their flags")
    for what, flag in (("side", "laterality-unknown"), ("view", "view-unknown")):
        if unknown := index.images["flags"].str.contains(flag).sum():
            found.append(f"the {what} of {unknown} images is unknown")
    return found


def require_copies(root: Path, paths: Sequence[str]) -> None:
    """Raise unless the files of some paths have one name and the same bytes.

    Raises
    ------
    Excluded
        ``duplicate``: which of them is the right one cannot be told.
    """
    first, *others = [inside(root, path) for path in paths]
    for other in others:
        with unreadable():
            same = other.name.lower() == first.name.lower() and filecmp.cmp(first, other, shallow=False)
        if not same:
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
            f"found {marks.linked(files.root, names) or 'none'}"
        )
    same = [path for path in files.paths if PurePosixPath(path).name == found.name]
    if len(same) > 1:
        raise ValueError(f"{files.root}: expected one {found.name}, found {', '.join(same)}")
    return found.relative_to(files.root).as_posix()


def table_rows(
    files: Files, path: str, columns: Sequence[str], kind: str
) -> list[tuple[str, tuple[str, ...]]]:
    """Rows of a table of a release; those that are there a second time are excluded.

    Parameters
    ----------
    files : Files
        Of `walk`.
    path : str
        Of `table_path`.
    columns : sequence of str
        Columns that matter.
    kind : str
        What is expected, for the message.

    Returns
    -------
    list of (str, tuple of str)
        Place, as in ``table.csv:137`` where the header is row 1, and cells without blanks around them.

    Raises
    ------
    ValueError
        As `user_tables.read`.
    """
    frame = user_tables.read(files.root / path, columns, kind)
    frame = frame[list(columns)].apply(lambda column: column.str.strip())
    known, rows = set(), []
    for number, cells in enumerate(frame.itertuples(index=False, name=None), start=2):
        if cells in known:
            error = Excluded("duplicate", "a row of the table that is there a second time")
            files.exclude(f"{path}:{number}", error)
        else:
            rows.append((f"{path}:{number}", cells))
        known.add(cells)
    return rows


def read_dicom(root: Path, path: str) -> np.ndarray:
    """Grey values of one image of ``images.csv``; see `grey_values.decode`."""
    return grey_values.decode(inside(root, path))


def is_image(root: Path, path: str) -> bool:
    """Whether a file is, or by its name should be, a DICOM object; one that cannot be opened may be."""
    try:
        return PurePosixPath(path).suffix.lower() in (".dcm", ".dicom") or headers.is_dicom(
            inside(root, path)
        )
    except (OSError, Excluded):
        return True


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


def side_flags(side: str, header: Collection[str], table: Collection[str] = ()) -> list[str]:
    """Flags of an image for which its header or its table gives another side.

    Parameters
    ----------
    side : {"L", "R"}
        The side that is used.
    header, table : collection of str
        All sides that each of them gives; empty where it gives none.

    Returns
    -------
    list of str
        ``laterality-header``, ``laterality-table``.
    """
    given = {"laterality-header": header, "laterality-table": table}
    return [flag for flag, sides in given.items() if set(sides) - {side}]


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
        When no image is usable, an image or a lesion is there twice, or a lesion's image is not there.
    """
    if not images:
        why = ", ".join(_reasons(files)) or "no image file"
        raise ValueError(f"{files.root}: expected at least one usable image, found none: {why}")
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
    index = Index(
        images=_table(IMAGES, images, "image_id"),
        lesions=_table(LESIONS, lesions, "image_id"),
        excluded=_table(EXCLUDED, files.excluded, "path"),
        reconciliation=RECONCILIATION.check(pd.DataFrame(reconciliation), origin="reconciliation"),
    )
    _check_identifiers(files.root, index)
    return index


def _check_identifiers(root: Path, index: Index) -> None:
    for column, frame in (("image_id", index.images), ("lesion_id", index.lesions)):
        twice = frame[column][frame[column].duplicated()].unique()
        if len(twice):
            raise ValueError(f"{root}: expected each {column} once, got {_some(twice)} more than once")
    strangers = index.lesions["image_id"][~index.lesions["image_id"].isin(index.images["image_id"])].unique()
    if len(strangers):
        raise ValueError(f"{root}: expected lesions of images in the index, got some of {_some(strangers)}")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} others" if len(names) > SHOWN else "")


def _table(table: Table, rows: Iterable[dict[str, object]], order: str) -> pd.DataFrame:
    frame = pd.DataFrame(list(rows), columns=list(table.columns))
    return table.check(frame.sort_values(order, kind="stable"), origin=table.name)
