"""Finds the mammograms among a user's files, and reads them as the study reads those of an archive."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mammoflow.archives import picture_files, release
from mammoflow.base.exclusions import REASONS, Excluded, unreadable
from mammoflow.breasts import preparation, segmentation
from mammoflow.breasts.image_store import StoredImage
from mammoflow.dicom import grey_values, headers

# Digits of the digest that names an image.
_DIGITS = 16


@dataclass(frozen=True)
class Found:
    """A file that a user gave.

    Parameters
    ----------
    path : Path
        Where it is; for a folder that cannot be opened, this folder.
    image_id : str
        Digest of its bytes; empty if it is left out before they are read.
    reason, detail : str
        Why it is left out, as in `exclusions.Excluded`; empty if it is not.
    """

    path: Path
    image_id: str = ""
    reason: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Settings:
    """How images are prepared for a model.

    Parameters
    ----------
    acquisition : {"digital", "film"}
        See `segmentation.breast_region`.
    resolution : str or mapping
        See `preparation.factor_of`.
    spacing_mm : float or None
        Side of a pixel of images whose files do not give it.
    """

    acquisition: str
    resolution: str | Mapping[str, float]
    spacing_mm: float | None


@dataclass(frozen=True)
class Mammogram:
    """A mammogram as it was read.

    Parameters
    ----------
    stored : StoredImage
        Its breast, prepared for the network.
    spacing_mm : float or None
        Side of an original pixel; None if unknown.
    laterality : {"L", "R", ""}
    view : {"CC", "MLO", ""}
    """

    stored: StoredImage
    spacing_mm: float | None
    laterality: str
    view: str


def listed(paths: Sequence[str | Path], out: str | Path) -> list[Found]:
    """All files that paths lead to, each once, sorted.

    Parameters
    ----------
    paths : sequence of path
        Files, and folders that are searched at any depth. What an operating system leaves in a folder does
        not count; links to folders are not followed.
    out : path
        Folder for the results, which may lie in one of the others; its files do not count.

    Raises
    ------
    ValueError
        When a path leads nowhere, or there is no file at all.
    """
    found = {}
    for path in map(Path, paths):
        if path.is_dir():
            folder = release.walk(path)
            for name in folder.paths:
                found[folder.root / name] = Found(folder.root / name)
            for row in folder.excluded:
                where = folder.root / row["path"]
                found[where] = Found(where, reason=row["reason"], detail=row["detail"])
        elif path.is_file():
            found[path.resolve()] = Found(path.resolve())
        elif path.exists():  # a pipe or a device, which would be read for ever
            found[path] = Found(path, reason="unreadable", detail="neither a file nor a folder")
        else:
            raise ValueError(f"{path}: expected a file or a folder of mammograms, found nothing")
    out = Path(out).resolve()
    found = {path: file for path, file in found.items() if not path.is_relative_to(out)}
    if not found:
        raise ValueError(f"{', '.join(map(str, paths))}: expected mammograms, found no file")
    return [found[path] for path in sorted(found)]


def identified(found: Found) -> Found:
    """The file with the digest of its bytes, or the reason why they cannot be read."""
    if found.reason:
        return found
    try:
        with unreadable(), found.path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except Excluded as error:
        return Found(found.path, "", error.reason, error.detail)
    return Found(found.path, digest[:_DIGITS])


def read(found: Found, settings: Settings) -> Mammogram | Found:
    """Read and prepare an image.

    Parameters
    ----------
    found : Found
        Of `identified`.
    settings : Settings
        See there.

    Returns
    -------
    Mammogram or Found
        The file with a reason if it is not a mammogram that can be used.
    """
    try:
        return _read(found, settings)
    except Excluded as error:  # an exception of two arguments does not return from another process
        return Found(found.path, found.image_id, error.reason, error.detail)
    except MemoryError:
        return Found(
            found.path, found.image_id, "decoder-memory", "reading it needs more memory than there is"
        )


def _read(found: Found, settings: Settings) -> Mammogram:
    if picture_files.kind(found.path) == picture_files.DICOM:
        header = headers.read_header(found.path)
        pixels = grey_values.decode(found.path)
        spacing_mm, _, _ = headers.spacing(header)
        laterality, view = headers.side(header), headers.view(header)
    else:
        pixels, spacing_mm, laterality, view = picture_files.read(found.path), None, "", ""
    spacing_mm = settings.spacing_mm if spacing_mm is None else spacing_mm
    region = segmentation.breast_region(pixels, settings.acquisition)
    try:
        stored = preparation.prepare(
            found.image_id, pixels, region, [], laterality, settings.resolution, spacing_mm
        )
    except Excluded as error:
        if error.reason == "spacing-unknown":
            raise Excluded("spacing-unknown", f"{REASONS[error.reason]}; give it with --spacing") from error
        raise
    return Mammogram(stored, spacing_mm, laterality, view)
