"""Writes a synthetic INbreast of full size: 410 tiny images with the irregularities of the real release.

Nothing is taken from the archive: identifiers, readings and contours are invented so that the counts
agree with the paper.
"""

import hashlib
from collections import Counter
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

from releases_by_hand import dicom_file, half_ellipse, plist

SHAPE = (32, 24)
IMAGES_OF_PATIENTS = [10, 8, 8, 8, 8, 8, 7, 3] + [4] * 75 + [2] * 25
# Patients with masses: the seven with most images have three images with masses, the others two.
WITH_MASSES = {**dict.fromkeys(range(7), 3), **dict.fromkeys(range(8, 51), 2)}
TWO_DATES = range(9)
NORMAL = 67

CSV_COLUMNS = (
    *("Patient ID", "Patient age", "Laterality", "View"),
    *("Acquisition date", "File Name", "ACR", "Bi-Rads"),
)
XLS_COLUMNS = (
    *CSV_COLUMNS,
    *("Mass ", "Micros", "Distortion", "Asymmetry"),
    *("Findings Notes", "Other Notes", "Lesion Annotation Status", "Pectoral Muscle Annotation"),
    "Other Annotations",
)
# Name and type of regions that are no masses: polygons, points, ovals.
OTHERS = (
    *(("Calcification", 19), ("Spiculated Region", 15), ("Cluster", 15), ("", 19)),
    *(("Calcifications", 19), ("Asymmetry", 15), ("Unnamed", 9), ("Spiculated region", 15)),
    *(("Distortion", 15), ("Point 1", 19), ("Assymetry", 15), ("Espiculated Region", 15)),
    *(("Point 3", 19), ("Asimmetry", 9)),
)
NOISE = (
    *(".DS_Store", "AllDICOMs/.DS_Store", "AllXML/._20000000.xml", "__MACOSX/._INbreast.csv"),
    *("__MACOSX/AllDICOMs/._20000000_0123456789abcdef_MG_L_CC_ANON.dcm", "__MACOSX/AllXML/20000000.xml"),
    *("inbreast.pdf", "README.txt"),
)


@dataclass(frozen=True)
class Image:
    number: int
    patient: str
    side: str
    view: str
    date: int
    density: str
    birads: str
    masses: tuple[tuple[int, int], ...]
    others: tuple[tuple[str, int], ...]

    @property
    def file(self) -> str:
        view = {"CC": "CC", "MLO": "ML", "FB": "FB"}[self.view]
        return f"AllDICOMs/{self.number}_{self.patient}_MG_{self.side}_{view}_ANON.dcm"


def images() -> list[Image]:
    """The whole release, patient by patient."""
    others, readings = cycle(OTHERS), cycle(("4a", "5", "4c", "3", "6", "4b", "2"))
    found, normal, with_masses = [], 0, 0
    for patient, size in enumerate(IMAGES_OF_PATIENTS):
        code = hashlib.sha256(f"patient {patient}".encode()).hexdigest()[:16]
        for place in range(size):
            masses, birads = (), "2"
            if place < WITH_MASSES.get(patient, 0):
                masses, birads = _corners(with_masses), next(readings)
                with_masses += 1
            elif patient not in WITH_MASSES and normal < NORMAL:
                birads, normal = "1", normal + 1
            found.append(
                Image(
                    number=20_000_000 + 311 * len(found),
                    patient=code,
                    side="LR"[place // 2 % 2],
                    view="FB" if (patient, place) == (20, 2) else ("CC", "MLO")[place % 2],
                    date=200_901 if patient in TWO_DATES and place >= size // 2 else 200_801,
                    density=" " * 40 if (patient, place) == (30, 0) else "1234"[patient % 4],
                    birads=birads,
                    masses=masses,
                    others=() if birads == "1" else tuple(islice(others, len(found) % 3)),
                )
            )
    return found


def _corners(number: int) -> tuple[tuple[int, int], ...]:
    """Corners (x, y) of an image's square masses: four times two that overlap, five times two apart."""
    return ((4, 4), (8, 8)) if number < 4 else ((4, 4), (4, 20)) if number < 9 else ((4, 4),)


def square(x: int, y: int, size: int = 6) -> list[tuple[int, int]]:
    return [(x, y), (x + size, y), (x + size, y + size), (x, y + size)]


def csv_table() -> bytes:
    """``INbreast.csv``."""
    rows = [
        ("removed", "removed", image.side, image.view, image.date, image.number, image.density, image.birads)
        for image in images()
    ]
    return "".join(";".join(map(str, row)) + "\r\n" for row in (CSV_COLUMNS, *rows)).encode()


def sheet() -> list[list[str | float]]:
    """Cells of ``INbreast.xls``: its numbers are floats, and its flag of masses is wrong three times."""
    wrong = {11, 12, 300}
    rows = []
    for place, image in enumerate(images()):
        flags = [bool(image.masses) != (place in wrong), *(name in dict(image.others) for name in _FLAGGED)]
        rows.append(
            [
                *("removed", "removed", image.side, image.view, float(image.date), float(image.number)),
                *(_number(image.density), _number(image.birads)),
                *("X" if flag else "" for flag in flags),
                *("", "", "annotated", "", ""),
            ]
        )
    totals = [
        "",
        "",
        "",
        "",
        "",
        "",
        "",
        "Total",
        *(float(sum(row[k] == "X" for row in rows)) for k in range(8, 12)),
    ]
    blank = [""] * len(XLS_COLUMNS)
    return [list(XLS_COLUMNS), *rows, blank, totals + [""] * 5]


_FLAGGED = ("Calcification", "Distortion", "Asymmetry")


def _number(text: str) -> str | float:
    return float(text) if text.isdigit() else text


def write(root: Path) -> Counter:
    """Write everything but the table; how many regions there are of each name that is no mass."""
    ignored = Counter()
    for image in images():
        dicom_file(root / image.file, half_ellipse(SHAPE), PatientID="removed", PatientName="removed")
        if image.birads != "1":
            regions = [("Mass", square(*corner), 15) for corner in image.masses]
            regions += [
                (name, [(1, 1)] if kind == 19 else square(12, 12), kind) for name, kind in image.others
            ]
            ignored.update(name for name, _ in image.others)
            plist(root / f"AllXML/{image.number}.xml", regions, wrong_number=image.number % 2 == 1)
    for path in NOISE:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"\0\5\x16\7 left by a Mac")
    return ignored
