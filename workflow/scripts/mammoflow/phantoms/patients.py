"""Draws the patients of a cohort; a patient does not depend on the size of the cohort."""

import hashlib
from dataclasses import dataclass

import numpy as np

from mammoflow.base import seeds
from mammoflow.phantoms import anatomy, digital, film
from mammoflow.phantoms.anatomy import Breast, Detector

# Index of an additional patient, outside the cohort, whose files a loader must exclude.
ODD = 89_999

_EXPOSE = {"film": film.expose, "digital": digital.expose}


@dataclass(frozen=True)
class Settings:
    """Settings of a phantom cohort, as in the config.

    Parameters
    ----------
    cohort : str
        ``film`` (CBIS-DDSM) or ``digital`` (INbreast).
    patients : int
        Number of patients, at least 1.
    detector : Detector
        Number and size of the pixels of every image.
    masses : float
        Fraction of patients with a mass; in a film cohort every patient has one.
    """

    cohort: str
    patients: int
    detector: Detector
    masses: float

    @classmethod
    def from_config(cls, entry: dict) -> "Settings":
        """Read ``{cohort, patients, detector: [rows, columns], pixel_mm, masses}``.

        Raises
        ------
        ValueError
            When a value is invalid; the message names its key.
        """
        cohort = entry["cohort"]
        if cohort not in _EXPOSE:
            raise ValueError(f"phantoms.cohort: expected film or digital, got {cohort!r}")
        rows, columns = entry["detector"]
        detector = Detector(int(rows), int(columns), float(entry["pixel_mm"]))
        settings = cls(cohort, int(entry["patients"]), detector, float(entry.get("masses", 0.46)))
        if settings.patients < 1:
            raise ValueError(f"phantoms.patients: expected at least 1, got {settings.patients}")
        if not 0 <= settings.masses <= 1:
            raise ValueError(f"phantoms.masses: expected a fraction from 0 to 1, got {settings.masses}")
        if min(rows, columns) < 64 or detector.pixel_mm <= 0:
            raise ValueError(
                f"phantoms.detector: expected at least 64 x 64 pixels of positive size, "
                f"got {rows} x {columns} of {detector.pixel_mm} mm"
            )
        return settings


@dataclass(frozen=True)
class Exposure:
    """One image of a patient.

    Parameters
    ----------
    breast : Breast
        The imaged breast.
    view : str
        ``CC`` or ``MLO``.
    study : int
        0, or 1 for the follow-up.
    """

    breast: Breast
    view: str
    study: int


@dataclass(frozen=True)
class Patient:
    """A patient with all images.

    Parameters
    ----------
    index : int
        Position in the cohort, from 0.
    code : str
        16 hexadecimal digits that identify the patient, as in INbreast's file names.
    exposures : tuple of Exposure
        In order of acquisition.
    """

    index: int
    code: str
    exposures: tuple[Exposure, ...]


def share(index: int, fraction: float, start: float = 0.5) -> bool:
    """Whether patient `index` belongs to an evenly spread fraction of all patients.

    Among the first n patients, for every n, ``fraction * n`` belong to it (to within one). Small cohorts
    therefore have the same composition as large ones.

    Examples
    --------
    >>> [share(index, 0.25) for index in range(8)]
    [False, True, False, False, False, True, False, False]
    """
    step, offset = round(10_000 * fraction), round(10_000 * start)
    return ((index + 1) * step + offset) // 10_000 > (index * step + offset) // 10_000


def draw(settings: Settings, seed: int, index: int) -> Patient:
    """Draw one patient of a cohort.

    Parameters
    ----------
    settings : Settings
        The cohort; the result does not depend on its number of patients.
    seed : int
        The study's seed.
    index : int
        Index of the patient, from 0.

    Returns
    -------
    Patient
        A film patient has one breast with masses, in two views. A digital patient usually has both
        breasts; some have only one, and some have a follow-up study.
    """
    rng = generator(settings, seed, index, "patient")
    density = int(rng.choice((1, 2, 3, 4), p=(0.25, 0.4, 0.25, 0.1)))
    counts = (_film_masses if settings.cohort == "film" else _digital_masses)(rng, settings, index)
    paired = settings.cohort == "digital" and 2 in counts.values()
    breasts = {
        side: anatomy.breast(
            generator(settings, seed, index, side),
            side,
            density,
            masses,
            paired and masses == 2,
            settings.detector,
        )
        for side, masses in counts.items()
    }
    studies = [breasts]
    if settings.cohort == "digital" and share(index, 0.08, start=0.8):
        height = settings.detector.height_mm
        shifts = {side: rng.uniform(-0.02, 0.02) * height for side in breasts}
        studies.append({side: breast.moved(shifts[side], height) for side, breast in breasts.items()})
    exposures = tuple(
        Exposure(breast, view, study)
        for study, of_study in enumerate(studies)
        for breast in of_study.values()
        for view in anatomy.VIEWS
    )
    code = hashlib.sha256(f"{seed} {settings.cohort} {index}".encode()).hexdigest()[:16]
    return Patient(index, code, exposures)


def _film_masses(rng: np.random.Generator, settings: Settings, index: int) -> dict[str, int]:
    side = str(rng.choice(("L", "R")))
    return {side: 2 if share(index, 0.08, start=0.9) else 1}


def _digital_masses(rng: np.random.Generator, settings: Settings, index: int) -> dict[str, int]:
    """Number of masses per side; patient 0 has two masses that touch, if affected."""
    sides = ["L", "R"] if rng.random() < 0.5 else ["R", "L"]
    diseased = share(index, settings.masses, start=1 - settings.masses)
    affected = 0 if not diseased else 2 if rng.random() < 0.12 else 1
    if share(index, 0.15, start=0.3):
        sides, affected = sides[:1], min(affected, 1)
    counts = {side: int(position < affected) for position, side in enumerate(sides)}
    if diseased and (index == 0 or rng.random() < 0.03):
        counts[sides[0]] = 2
    return dict(sorted(counts.items()))


def generator(settings: Settings, seed: int, index: int, *purpose: str | int) -> np.random.Generator:
    """Random generator for one purpose of one patient."""
    return seeds.generator(seed, "phantoms", settings.cohort, index, *purpose)


def expose(settings: Settings, seed: int, patient: Patient, exposure: Exposure) -> np.ndarray:
    """Pixels of one image.

    Returns
    -------
    ndarray of uint16, shape (rows, columns)
        See `film.expose` and `digital.expose`.
    """
    breast = exposure.breast
    rng = generator(settings, seed, patient.index, breast.side, exposure.view, exposure.study)
    return _EXPOSE[settings.cohort](rng, breast, breast.views[exposure.view], settings.detector)
