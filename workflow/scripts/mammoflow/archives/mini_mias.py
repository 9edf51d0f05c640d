"""Reads mini-MIAS: digitised films of 1024×1024 pixels with a circle around each abnormality.

References
----------
.. [1] Suckling et al., "The Mammographic Image Analysis Society digital mammogram database",
   Excerpta Medica, International Congress Series 1069 (1994).
"""

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from skimage.draw import disk

from mammoflow.archives import release
from mammoflow.archives.marks import MINI_MIAS_TABLE
from mammoflow.archives.release import Files, Index
from mammoflow.base import pool, user_tables
from mammoflow.base.exclusions import Excluded, unreadable
from mammoflow.dicom import headers

SPACING_MM = 0.2
MASSES = ("CIRC", "SPIC", "MISC")
PATHOLOGY = {"B": "BENIGN", "M": "MALIGNANT", "": ""}

_ROW = re.compile(
    r"(?P<id>mdb\d{3})\s+[FGD]\s+(?P<kind>CALC|CIRC|SPIC|MISC|ARCH|ASYM|NORM)"
    r"(?:\s+(?P<severity>[BM]))?(?:\s+(?P<x>\d{1,5})\s+(?P<y>\d{1,5})\s+(?P<radius>\d{1,5})\b)?.*"
)
_BROKEN_ROW = re.compile(r"(?P<id>mdb\d{3})\s")
_NAME = re.compile(r"mdb(\d{3})\.pgm")
_HEADER_BYTES = 4096
_GAP = rb"(?:\s|#[^\n]*\n)+"
_PGM = re.compile(rb"P5%b(\d{1,9})%b(\d{1,9})%b(\d{1,9})\s" % (_GAP, _GAP, _GAP))


@dataclass(frozen=True)
class _Finding:
    """A row of ``Info.txt``; its circle is None where the row gives none, its kind empty where unknown."""

    kind: str
    severity: str
    circle: tuple[int, int, int] | None


def index(root: Path, threads: int) -> Index:
    """Images, masses and exclusions of a mini-MIAS release.

    CIRC, SPIC and MISC are masses. Films with other abnormalities only count as films without
    masses, and say so in their flags. A film with a mass that cannot be used is left out whole.

    Parameters
    ----------
    root : Path
        Folder with ``mdbNNN.pgm`` files at any depth, and ``Info.txt`` at most two folders below.
    threads : int
        Files read at the same time.

    Raises
    ------
    ValueError
        When ``Info.txt`` is missing or there twice, or no image is usable.
    """
    files = release.walk(root)
    findings = _table(files)
    release.require_some(files, "PGM files of mini-MIAS", lambda path: path.lower().endswith(".pgm"))
    paths = _image_paths(files)
    for image_id in sorted(findings.keys() - paths.keys()):
        files.exclude(f"{image_id}.pgm", Excluded("missing-file", f"a row of {MINI_MIAS_TABLE}"))
    images, lesions = [], []
    results = pool.in_processes(lambda item: _image(files.root, *item, findings), paths.items(), threads)
    for (first, *others), result in zip(paths.values(), results, strict=True):
        if isinstance(result, Excluded):
            files.exclude(first, result)
        else:
            images.append(result[0])
            lesions.extend(result[1])
        for path in others:
            files.exclude(path, Excluded("duplicate"))
    return release.make_index(files, images, lesions, {}, _counts(images, lesions), 1 + len(images))


def read_image(root: Path, path: str) -> np.ndarray:
    """Grey values of a binary PGM file.

    Returns
    -------
    (M, N) uint16 ndarray
        0 to 255 in the release.

    Raises
    ------
    Excluded
        ``unreadable``, ``too-many-pixels``, ``truncated``.
    """
    with unreadable(), release.inside(root, path).open("rb") as file:
        header = _PGM.match(file.read(_HEADER_BYTES))
    if header is None:
        raise Excluded("unreadable", "expected a binary PGM header")
    columns, rows, highest = map(int, header.groups())
    if not (rows > 0 and columns > 0 and 0 < highest < 65536):
        raise Excluded("unreadable", "expected a binary PGM header")
    if rows * columns > headers.MAX_PIXELS:
        raise Excluded("too-many-pixels")
    kind = np.dtype(">u2" if highest > 255 else "u1")
    needed = rows * columns * kind.itemsize
    with unreadable(), release.inside(root, path).open("rb") as file:
        file.seek(header.end())
        content = file.read(needed)
    if len(content) < needed:
        raise Excluded("truncated", f"expected {needed} bytes of pixels, got {len(content)}")
    pixels = np.frombuffer(content, kind)
    return pixels.reshape(rows, columns).astype(np.uint16)


def lesion_mask(root: Path, source: str, shape: tuple[int, int]) -> np.ndarray:
    """Pixels of a mass: the circle around it.

    Parameters
    ----------
    root : Path
        Not used: the circle says it all.
    source : str
        Of ``lesions.csv``: ``circle:x,y,radius`` as in ``Info.txt``, y from the bottom.
    shape : tuple of int
        Rows and columns of the image.

    Returns
    -------
    (M, N) bool ndarray

    Raises
    ------
    Excluded
        ``contour-outside``.
    """
    x, y, radius = map(int, source.removeprefix("circle:").split(","))
    mask = np.zeros(shape, dtype=bool)
    mask[disk((shape[0] - 1 - y, x), radius + 0.5, shape=shape)] = True
    if not mask.any():
        raise Excluded("contour-outside")
    return mask


def _table(files: Files) -> dict[str, list[_Finding]]:
    """Rows of ``Info.txt`` by image; lines of prose are skipped."""
    path = release.table_path(files, [MINI_MIAS_TABLE])
    findings = defaultdict(list)
    text = user_tables.text(files.root / path, "the mini-MIAS table")
    for number, line in enumerate(map(_spaced, text.splitlines()), start=1):
        if row := _ROW.fullmatch(line):
            circle = tuple(int(row[name]) for name in ("x", "y", "radius")) if row["x"] else None
            finding = _Finding(row["kind"], row["severity"] or "", circle)
            if finding in findings[row["id"]]:
                files.exclude(f"{path}:{number}", Excluded("duplicate", "a row that is there a second time"))
            else:
                findings[row["id"]].append(finding)
        elif row := _BROKEN_ROW.match(line):
            findings[row["id"]].append(_Finding("", "", None))
    if not findings:
        raise ValueError(
            f"{files.root / path}: expected rows such as 'mdb001 G CIRC B 535 425 197', found none"
        )
    return dict(findings)


def _spaced(line: str) -> str:
    """Line with blanks for the separators and quotes of a spreadsheet program."""
    return re.sub(r'[\s,;|"]+', " ", line).strip()


def _image_paths(files: Files) -> dict[str, list[str]]:
    """PGM files that are named as the release names them, by identifier; others are excluded."""
    paths = defaultdict(list)
    for path in files.paths:
        name = PurePosixPath(path)
        if not _NAME.fullmatch(name.name):
            if name.suffix.lower() == ".pgm":
                files.exclude(path, Excluded("name"))
            elif name.name != MINI_MIAS_TABLE:
                files.plain += 1
        else:
            paths[name.stem].append(path)
    return dict(paths)


def _image(
    root: Path, image_id: str, paths: list[str], findings: dict[str, list[_Finding]]
) -> tuple[dict[str, object], list[dict[str, object]]] | Excluded:
    try:
        release.require_copies(root, paths)
        if image_id not in findings:
            raise Excluded("not-in-table")
        if not all(finding.kind for finding in findings[image_id]):
            raise Excluded("bad-row")
        masses = [finding for finding in findings[image_id] if finding.kind in MASSES]
        if any(mass.circle is None for mass in masses):
            raise Excluded("lesion-without-coordinates")
        shape = read_image(root, paths[0]).shape
        lesions = [_lesion(image_id, k, mass, shape) for k, mass in enumerate(masses, start=1)]
    except Excluded as error:
        return error
    number = int(image_id.removeprefix("mdb"))
    others = sorted({finding.kind for finding in findings[image_id]} - {*MASSES, "NORM"})
    image = {
        "image_id": image_id,
        "patient_id": f"pair-{(number + 1) // 2:03d}",
        "laterality": "R" if number % 2 else "L",
        "view": "MLO",
        "official_split": "",
        "path": paths[0],
        "rows": shape[0],
        "columns": shape[1],
        "spacing_mm": SPACING_MM,
        "spacing_source": "release",
        "flags": ";".join(f"other-abnormality-{kind}" for kind in others),
    }
    return image, lesions


def _lesion(image_id: str, number: int, mass: _Finding, shape: tuple[int, int]) -> dict[str, object]:
    source = f"circle:{','.join(map(str, mass.circle))}"
    return release.lesion_row(
        image_id=image_id,
        lesion_id=f"{image_id}_{number}",
        mask=lesion_mask(Path(), source, shape),
        spacing_mm=SPACING_MM,
        pathology=PATHOLOGY[mass.severity],
        source=source,
    )


def _counts(images: list[dict[str, object]], lesions: list[dict[str, object]]) -> dict[str, int]:
    """Quantities of the reconciliation."""
    with_masses = {row["image_id"] for row in lesions}
    return {
        "patients": len({row["patient_id"] for row in images}),
        "images": len(images),
        "images with masses": len(with_masses),
        "images without masses": len(images) - len(with_masses),
        "images with other abnormalities": sum(bool(row["flags"]) for row in images),
        "lesions": len(lesions),
    }
