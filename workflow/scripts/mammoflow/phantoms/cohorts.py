"""Writes a whole cohort of phantoms, patient by patient, and the record that says it is complete."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from mammoflow.base import pool, storage
from mammoflow.phantoms import digital_release, film_release, patients
from mammoflow.phantoms.instances import MAC_FORKS, MAC_SETTINGS, Folder, is_phantom
from mammoflow.phantoms.patients import Settings

RECORD = "phantoms.json"

_ARCHIVES = {"film": film_release, "digital": digital_release}
_IN_ROOT = (*film_release.TABLES.values(), digital_release.TABLE, RECORD, MAC_SETTINGS)
# A pattern's star takes the temporary names of interrupted writes as well.
_FILES = (
    *(f"{film_release.TREE}/{kind}-*/*-DDSM-*/1.000000-*/*.dcm" for kind in ("Mass", "Calc")),
    f"{digital_release.IMAGES}/*.dcm",
    f"{digital_release.ANNOTATIONS}/*.xml",
    f"{MAC_FORKS}/*._*",
    *_IN_ROOT,
)


@dataclass(frozen=True)
class Written:
    """What was written of one patient.

    Parameters
    ----------
    images, mass_images, masses, contours : int
        Mammograms, those with a mass, masses of the patient's breasts, and their outlines in all images.
    rows : dict of str to list
        Table rows by the table's name.
    digest : str
        SHA-256 over the patient's files, names included.
    """

    images: int
    mass_images: int
    masses: int
    contours: int
    rows: dict[str, list[list]]
    digest: str


def write(root: str | Path, entry: dict, seed: int, threads: int = 1) -> dict:
    """Write a cohort as a release, in place of any earlier one.

    Patients are drawn and written one at a time per process, so that memory does not grow with the cohort.
    Besides the cohort there is what a loader has to leave out; none of it is counted.

    Parameters
    ----------
    root : str or Path
        Folder of the release.
    entry : dict
        The cohort's settings, see `patients.Settings`.
    seed : int
        The study's seed.
    threads : int
        Processes to use.

    Returns
    -------
    dict
        What `RECORD` holds: settings, seed, counts and the digest over all files, the same for any
        number of threads.

    Raises
    ------
    ValueError
        When a setting is impossible, or the folder holds DICOM files that are no phantoms.
    """
    root, settings = Path(root), Settings.from_config(entry)
    clear(root)
    root.mkdir(parents=True, exist_ok=True)
    archive = _ARCHIVES[settings.cohort]
    digest = hashlib.sha256()
    counts = dict.fromkeys(("images", "mass_images", "masses", "contours"), 0)
    with ExitStack() as stack:
        tables = {}
        for name, header in archive.HEADERS.items():
            temporary = stack.enter_context(storage.whole(root / name))
            tables[name] = stack.enter_context(open(temporary, "w", encoding="utf-8", newline=""))
            tables[name].write(header)
        odd = Folder(root)
        for name, rows in archive.write_oddities(settings, seed, odd).items():
            tables[name].write(archive.table(rows))
        digest.update(bytes.fromhex(odd.digest()))
        for written in _all_written(settings, seed, root, threads):
            digest.update(bytes.fromhex(written.digest))
            for name, rows in written.rows.items():
                tables[name].write(archive.table(rows))
            for name in counts:
                counts[name] += getattr(written, name)
    for name in archive.HEADERS:
        digest.update(bytes.fromhex(storage.sha256(root / name)))
    record = {
        "settings": asdict(settings),
        "seed": seed,
        "patients": settings.patients,
        **counts,
        "sha256": digest.hexdigest(),
    }
    with storage.whole(root / RECORD) as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n")
    return record


def write_patient(settings: Settings, seed: int, root: Path, index: int) -> Written:
    """Write everything of one patient but the rows of the tables."""
    patient, folder = patients.draw(settings, seed, index), Folder(root)
    rows = _ARCHIVES[settings.cohort].write_patient(settings, seed, patient, folder)
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


def _all_written(settings: Settings, seed: int, root: Path, threads: int) -> Iterator[Written]:
    """Patients in their order, a few in flight at a time."""
    task = partial(write_patient, settings, seed, root)
    if threads == 1:
        return map(task, range(settings.patients))
    return pool.ordered(task, range(settings.patients), threads, pool.processes)


def clear(root: Path) -> None:
    """Remove what an earlier, perhaps interrupted, run left in a release's folder.

    Raises
    ------
    ValueError
        When a DICOM file there is no phantom: nothing is removed then.
    """
    found = {file for pattern in _FILES for file in root.glob(pattern)}
    found |= {file for pattern in _IN_ROOT for file in root.glob(f".*.partial.{pattern}")}
    for file in found:
        if file.suffix == ".dcm" and not file.name.startswith(".") and not is_phantom(file):
            raise ValueError(
                f"{root}: expected a folder for phantoms, got one with other DICOM files ({file.name}); "
                "give the phantoms a data set name of their own"
            )
    for file in found:
        file.unlink()
    for tree in (film_release.TREE, digital_release.IMAGES, digital_release.ANNOTATIONS, MAC_FORKS):
        folders = sorted((root / tree).glob("**/"), reverse=True) if (root / tree).is_dir() else []
        for folder in folders:
            if not any(folder.iterdir()):
                folder.rmdir()
