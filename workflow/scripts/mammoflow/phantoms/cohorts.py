"""Writes a cohort of phantoms, patient by patient, and the record that marks it as complete."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from mammoflow.base import pool, storage
from mammoflow.phantoms import (
    annotated_release,
    cesm_release,
    digital_release,
    film_jpeg_release,
    film_release,
    patients,
    vindr_release,
)
from mammoflow.phantoms.instances import MAC_FORKS, MAC_SETTINGS, Folder, is_phantom
from mammoflow.phantoms.patients import Patient, Settings

RECORD = "phantoms.json"

# By cohort, the modules that write its releases; the first one writes the archive of the paper.
_WRITERS = {
    "film": (film_release, film_jpeg_release),
    "digital": (digital_release, annotated_release, vindr_release, cesm_release),
}
_IN_ROOT = (
    *film_release.TABLES.values(),
    digital_release.TABLE,
    *annotated_release.HEADERS,
    annotated_release.ANNOTATIONS,
    *vindr_release.HEADERS,
    vindr_release.LICENCE,
    *cesm_release.HEADERS,
    RECORD,
    MAC_SETTINGS,
)
# The star of each pattern also matches the temporary files of interrupted writes.
_FILES = (
    *(f"{film_release.TREE}/{kind}-*/*-DDSM-*/1.000000-*/*.dcm" for kind in ("Mass", "Calc")),
    f"{film_jpeg_release.IMAGES}/*/*.jpg",
    *(f"{film_jpeg_release.TABLES}/*{name.split('/')[-1]}" for name in film_jpeg_release.HEADERS),
    f"{digital_release.IMAGES}/*.dcm",
    f"{digital_release.ANNOTATIONS}/*.xml",
    f"{vindr_release.IMAGES}/*/*.dicom",
    f"{annotated_release.IMAGES}/*.png",
    *(f"{folder}/*.jpg" for folder in cesm_release.FOLDERS.values()),
    f"{MAC_FORKS}/*._*",
    *_IN_ROOT,
)
_TREES = (
    film_release.TREE,
    film_jpeg_release.IMAGES,
    film_jpeg_release.TABLES,
    digital_release.IMAGES,
    digital_release.ANNOTATIONS,
    vindr_release.IMAGES,
    annotated_release.IMAGES,
    *cesm_release.FOLDERS.values(),
    MAC_FORKS,
)


class Writer(Protocol):
    """A module that writes phantoms in the format of an archive.

    Attributes
    ----------
    ARCHIVE : str
        Name of the archive in the config.
    HEADERS : mapping of str to str
        File names of the tables of the release, and their first lines.
    """

    ARCHIVE: str
    HEADERS: Mapping[str, str]

    def table(self, rows: list[list]) -> str:
        """Text of rows in the form of the tables."""

    def write_patient(
        self, settings: Settings, seed: int, patient: Patient, folder: Folder
    ) -> dict[str, list[list]]:
        """Write the files of one patient, and return the rows of the tables by file name.

        Parameters
        ----------
        settings : Settings
            The cohort.
        seed : int
            The study's seed.
        patient : Patient
            Drawn by `patients.draw`.
        folder : Folder
            The release's root.
        """

    def write_oddities(self, settings: Settings, seed: int, folder: Folder) -> dict[str, list[list]]:
        """Write what a loader must exclude, and return the rows of the tables as `write_patient` does."""


@dataclass(frozen=True)
class Written:
    """Summary of the files written for one patient.

    Parameters
    ----------
    images, mass_images, masses, contours : int
        Numbers of mammograms, of mammograms with a mass, of masses, and of outlines of masses in all
        images.
    rows : dict of str to list
        Table rows by table name.
    digest : str
        SHA-256 over the names and contents of the patient's files.
    """

    images: int
    mass_images: int
    masses: int
    contours: int
    rows: dict[str, list[list]]
    digest: str


def write(root: str | Path, entry: dict, seed: int, threads: int = 1, archive: str | None = None) -> dict:
    """Write a cohort in the layout of a release, replacing any earlier one.

    Each process draws and writes one patient at a time, so that memory does not grow with the cohort.
    In addition to the cohort, files are written that a loader must exclude; they are not counted.

    Parameters
    ----------
    root : str or Path
        Folder to write the release to.
    entry : dict
        The cohort's settings, see `patients.Settings`.
    seed : int
        The study's seed.
    threads : int
        Processes to use.
    archive : str, optional
        The archive in whose format the cohort is written; by default that of the paper.

    Returns
    -------
    dict
        The content of `RECORD`: archive, settings, seed, counts and the digest over all files. It does not
        depend on the number of threads.

    Raises
    ------
    ValueError
        When a setting is invalid, the cohort is not written as this archive, or the folder holds images
        that are not phantoms.
    """
    root, settings = Path(root), Settings.from_config(entry)
    writer = _writer(settings.cohort, archive)
    clear(root)
    root.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    counts = dict.fromkeys(("images", "mass_images", "masses", "contours"), 0)
    with ExitStack() as stack:
        tables = {}
        for name, header in writer.HEADERS.items():
            temporary = stack.enter_context(storage.whole(root / name))
            tables[name] = stack.enter_context(open(temporary, "w", encoding="utf-8", newline=""))
            tables[name].write(header)
        odd = Folder(root)
        for name, rows in writer.write_oddities(settings, seed, odd).items():
            tables[name].write(writer.table(rows))
        digest.update(bytes.fromhex(odd.digest()))
        for written in _all_written(writer.ARCHIVE, settings, seed, root, threads):
            digest.update(bytes.fromhex(written.digest))
            for name, rows in written.rows.items():
                tables[name].write(writer.table(rows))
            for name in counts:
                counts[name] += getattr(written, name)
    for name in writer.HEADERS:
        digest.update(bytes.fromhex(storage.sha256(root / name)))
    record = {
        "archive": writer.ARCHIVE,
        "settings": asdict(settings),
        "seed": seed,
        "patients": settings.patients,
        **counts,
        "sha256": digest.hexdigest(),
    }
    with storage.whole(root / RECORD) as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n")
    return record


def _writer(cohort: str, archive: str | None) -> Writer:
    """Module that writes a cohort in the format of an archive."""
    writers = {writer.ARCHIVE: writer for writer in _WRITERS[cohort]}
    archive = archive or next(iter(writers))
    if archive not in writers:
        raise ValueError(f"archive: expected {' or '.join(writers)} for {cohort} phantoms, got {archive}")
    return writers[archive]


def write_patient(archive: str, settings: Settings, seed: int, root: Path, index: int) -> Written:
    """Write all files of one patient; the table rows are only returned."""
    patient, folder = patients.draw(settings, seed, index), Folder(root)
    rows = _writer(settings.cohort, archive).write_patient(settings, seed, patient, folder)
    outlines = [len(exposure.breast.masses) for exposure in patient.exposures]
    of_breasts = {exposure.breast.side: len(exposure.breast.masses) for exposure in patient.exposures}
    return Written(
        images=len(outlines),
        mass_images=sum(map(bool, outlines)),
        masses=sum(of_breasts.values()),
        contours=sum(outlines),
        rows=rows,
        digest=folder.digest(),
    )


def _all_written(archive: str, settings: Settings, seed: int, root: Path, threads: int) -> Iterator[Written]:
    """Write all patients in parallel and yield their summaries in order."""
    task = partial(write_patient, archive, settings, seed, root)
    return pool.in_processes(task, range(settings.patients), threads)


def clear(root: Path) -> None:
    """Remove the files of an earlier run, complete or interrupted, from a release's folder.

    Raises
    ------
    ValueError
        When the folder holds an image that is not a phantom; in this case nothing is removed.
    """
    found = {file for pattern in _FILES for file in root.glob(pattern)}
    found |= {file for pattern in _IN_ROOT for file in root.glob(f".*.partial.{pattern}")}
    for file in found:
        is_image = file.suffix in (".dcm", ".dicom", ".jpg", ".png")
        if is_image and not file.name.startswith(".") and not is_phantom(file):
            raise ValueError(
                f"{root}: expected a folder for phantoms, got one with other images ({file.name}); "
                "use a separate data set name for the phantoms"
            )
    for file in found:
        file.unlink()
    for tree in _TREES:
        folders = sorted((root / tree).glob("**/"), reverse=True) if (root / tree).is_dir() else []
        for folder in folders:
            if not any(folder.iterdir()):
                folder.rmdir()
