"""Recognises the release of each archive on disk and finds its root, without heavy imports."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

CBIS_DDSM_TABLES = {
    "train": "mass_case_description_train_set.csv",
    "test": "mass_case_description_test_set.csv",
}
CBIS_DDSM_JPEG_TABLE = "dicom_info.csv"
CDD_CESM_TABLES = {
    "findings": ("Radiology-manual-annotations.csv", "Radiology manual annotations.csv"),
    "outlines": ("Radiology_hand_drawn_segmentations_v2.csv",),
}
INBREAST_TABLE = ("INbreast.csv", "INbreast.xls")
MINI_MIAS_TABLE = "Info.txt"
VINDR_MAMMO_TABLES = {
    "images": "breast-level_annotations.csv",
    "findings": "finding_annotations.csv",
}

# Each entry lists names of which one is enough, the preferred one first.
MARKS: dict[str, tuple[tuple[str, ...], ...]] = {
    "annotated": (),  # the config names its files
    "cbis-ddsm": tuple((name,) for name in CBIS_DDSM_TABLES.values()),
    "cbis-ddsm-jpeg": (
        (CBIS_DDSM_JPEG_TABLE,),
        *((name,) for name in CBIS_DDSM_TABLES.values()),
        ("jpeg",),
    ),
    "cdd-cesm": tuple(CDD_CESM_TABLES.values()),
    "inbreast": (INBREAST_TABLE, ("AllDICOMs",), ("AllXML",)),
    "mini-mias": ((MINI_MIAS_TABLE,),),
    "vindr-mammo": (*((name,) for name in VINDR_MAMMO_TABLES.values()), ("images",)),
}

# What the archive 'annotated' finds COCO JSON by; its other annotations are tables.
_COCO = ".json"

# Links in a message.
SHOWN = 3

# Folders between the root and a mark: manifest-1/CBIS-DDSM/, INbreast Release 1.0/.
LEVELS = 2


def is_coco(name: str) -> bool:
    """Whether a user's file of annotations is COCO JSON, by its name; else it is a table of boxes."""
    return Path(name).suffix.lower() == _COCO


def find(root: Path, names: Sequence[str]) -> Path | None:
    """File or folder that marks a release: in its root, else one level below, else two.

    Parameters
    ----------
    root : Path
        Folder of the release.
    names : sequence of str
        Alternatives; on one level the first of them counts, and the first folder by name.

    Returns
    -------
    Path or None
        Links are not followed, and what a Mac leaves in ``__MACOSX`` does not count.
    """
    folders = [Path(root)]
    for level in range(LEVELS + 1):
        for name in names:
            for folder in folders:
                if _is_there(folder / name):
                    return folder / name
        if level < LEVELS:
            folders = _below(folders)
    return None


def linked(root: Path, names: Sequence[str]) -> str:
    """What `find` passed by because it is a symbolic link, and what to do about it, to follow ``found``.

    A root may be a link itself. Below it a link could lead out of the release, or back into it.

    Parameters
    ----------
    root : Path
        Folder of the release.
    names : sequence of str
        Alternatives, as for `find`.

    Returns
    -------
    str
        Empty where there is no link of these names, nor to a folder that could hold them.
    """
    root, levels = Path(root), []
    folders = [root]
    for _ in range(LEVELS + 1):
        levels.append([link for folder in folders for link in _links(folder)])
        folders = _below(folders)
    named = [link for level in levels for link in level if link.name in names]
    above = [link for level in levels[:LEVELS] for link in level if os.path.isdir(link)]
    links = [link.relative_to(root).as_posix() for link in named or above]
    return not_followed(links) if links else ""


def not_followed(links: Sequence[str]) -> str:
    """What to do about some symbolic links, to follow ``found``; they are named by their paths."""
    listed = ", ".join(f"'{link}'" for link in links[:SHOWN])
    more = f" and {len(links) - SHOWN} more" if len(links) > SHOWN else ""
    return (
        f"{listed}{more}, but symbolic links are not followed: move the real one there, bind-mount it, "
        "or use a root that holds it"
    )


def _links(folder: Path) -> list[Path]:
    """Symbolic links in a folder, by name; one that may not be read has none."""
    try:
        return sorted(path for path in folder.iterdir() if path.is_symlink())
    except OSError:
        return []


def _is_there(path: Path) -> bool:
    """Whether there is a file, or a folder where the name is one's; never an error, as of closed folders."""
    kind = os.path.isfile if path.suffix else os.path.isdir
    return kind(path) and not os.path.islink(path)


def _below(folders: Iterable[Path]) -> list[Path]:
    """Folders in folders, by name; those that may not be read hold nothing."""
    found = []
    for folder in folders:
        try:
            with os.scandir(folder) as entries:
                found += [
                    folder / entry.name
                    for entry in entries
                    if entry.is_dir(follow_symlinks=False) and entry.name != "__MACOSX"
                ]
        except OSError:
            continue
    return sorted(found)
