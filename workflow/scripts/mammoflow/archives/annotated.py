"""Reads one's own annotated images: DICOM files or pictures, with COCO JSON or a CSV of boxes.

References
----------
.. [1] Lin et al., "Microsoft COCO: Common Objects in Context", ECCV (2014).
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from math import nan
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from mammoflow.archives import annotation_files, coco_masks, marks, picture_files, release
from mammoflow.archives.annotation_files import ALL, Content, Finding, Listed
from mammoflow.archives.release import Files, Index
from mammoflow.base import pool
from mammoflow.base.exclusions import Excluded
from mammoflow.dicom import headers

# Characters of file names that identifiers keep: these become names of files and of parts of stores.
_UNUSUAL = re.compile(r"^\.|[^\w.-]")


@dataclass(frozen=True)
class _Seen:
    """What an image's file gives: of a picture, only the size."""

    shape: tuple[int, int]
    spacing_mm: float | None = None
    spacing_source: str = ""
    sides: frozenset[str] = frozenset()
    laterality: str = ""
    view: str = ""
    flags: Sequence[str] = ()


@dataclass
class _Image:
    """One image with what was found for it; excluded as a whole where `row` is None."""

    row: dict[str, object] | None = None
    lesions: list[dict[str, object]] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    ignored: Counter = field(default_factory=Counter)
    excluded: list[tuple[str, Excluded]] = field(default_factory=list)


def index(root: Path, threads: int, annotations: Mapping[str, Any]) -> Index:
    """Images, masses and exclusions of one's own annotated images.

    An image with annotations of which none is a mass is left out, because it is neither normal nor one
    with masses; so is an image with a mass that cannot be used. Annotations other than masses on an image
    with masses are only counted.

    Parameters
    ----------
    root : Path
        Folder with the images at any depth, and with the files that the config names.
    threads : int
        Files read at the same time.
    annotations : mapping
        ``boxes``: file of annotations, relative to the root; ``masses``: names of the categories that are
        masses, or ``"all"``; optionally ``images``: table of images; for a CSV ``coordinates``, see
        `annotation_files.read`.

    Raises
    ------
    ValueError
        When one of these files is missing or cannot be understood, no annotation has a category that
        ``masses`` names, an image has no patient or is listed twice, a patient is in two splits, or no
        image is usable.
    """
    files = release.walk(root)
    boxes, *tables = (_named(files, annotations[key]) for key in ("boxes", "images") if key in annotations)
    release.require_some(files, "DICOM, PNG, TIFF or JPEG files", partial(_is_image, files.root))
    content = annotation_files.read(files.root / boxes, boxes, annotations.get("coordinates"))
    annotation_files.require_masses(content, annotations["masses"], files.root / boxes)
    rows = [row for table in tables for row in annotation_files.read_images(files.root / table, table)]
    names = _Names(files.root, set(files.paths) - {boxes, *tables})
    listed = _listed(files, names, content.images)
    images = _described(files, names, listed, rows, marks.is_coco(boxes))
    _check_patients(files.root, images.values())
    findings = _findings(files, listed, content)

    image_ids = _identifiers(images)
    look = partial(_image, files.root, annotations["masses"])
    tasks = [(image_ids[path], path, images[path], findings.get(path, [])) for path in sorted(images)]
    found = list(pool.in_processes(lambda task: look(*task), tasks, threads))
    for path, error in (entry for image in found for entry in image.excluded):
        files.exclude(path, error)
    for copy in sorted(names.copies - images.keys()):
        files.exclude(copy, Excluded("duplicate"))
    used = {boxes, *tables, *(image.row["path"] for image in found if image.row)}
    _account(files, used)
    lesions = [lesion for image in found for lesion in image.lesions]
    usable = [image.row for image in found if image.row]
    return release.make_index(files, usable, lesions, {}, _counts(found), len(used))


def read_image(root: Path, path: str) -> np.ndarray:
    """Grey values of an image.

    Returns
    -------
    (M, N) uint16 ndarray
        See `grey_values.decode` and `picture_files.read`.

    Raises
    ------
    Excluded
        As these.
    """
    file = release.inside(root, path)
    if picture_files.kind(file) == picture_files.DICOM:
        return release.read_dicom(root, path)
    return picture_files.read(file)


def lesion_mask(root: Path, source: str, shape: tuple[int, int]) -> np.ndarray:
    """Pixels of a mass.

    Parameters
    ----------
    root : Path
        Root of the release.
    source : str
        Of ``lesions.csv``: the file of annotations, and the place in COCO's ``annotations``, from 0, as in
        ``boxes.json#12``, or of a CSV the box, as in ``boxes.csv:7#x,y,width,height``.
    shape : tuple of int
        Rows and columns of the image.

    Returns
    -------
    (M, N) bool ndarray

    Raises
    ------
    Excluded
        As `coco_masks.draw`; also when the file of annotations is no longer what it was.
    """
    path, _, place = source.rpartition("#")
    if "," in place:
        entry = {"bbox": [float(number) for number in place.split(",")]}
    else:
        file = release.inside(root, path)
        annotations = _annotations(file, file.stat().st_mtime_ns)
        if int(place) >= len(annotations):
            raise Excluded("bad-annotation", "the file of annotations is no longer what it was")
        entry = annotations[int(place)]
    return coco_masks.draw(entry, shape)[0]


# A file may hold millions of annotations: read once by each process.
@lru_cache(maxsize=1)
def _annotations(path: Path, _changed_ns: int) -> list[Mapping[str, Any]]:
    return annotation_files.annotations_of(path)


class _Names:
    """Finds files by names that may have more folders than their paths or fewer, and may lack the suffix.

    Parameters
    ----------
    root : Path
        Root of the release.
    paths : iterable of str
        Relative to the root.
    """

    def __init__(self, root: Path, paths: Iterable[str]) -> None:
        self._root = root
        self._named, self._stems = defaultdict(list), defaultdict(list)
        for path in map(PurePosixPath, sorted(paths)):
            self._named[path.name].append(path)
            self._stems[path.stem].append(path)
        self.copies: set[str] = set()

    def find(self, name: str) -> str:
        """The path that a name is, or the one that ends in it or in which it ends; `copies` gets the others.

        Raises
        ------
        Excluded
            ``outside-root``, ``missing-file``, or ``duplicate`` where several different files fit.
        """
        wanted = PurePosixPath(name.replace("\\", "/"))
        if ".." in wanted.parts:
            raise Excluded("outside-root")
        alike = self._named.get(wanted.name) or self._stems.get(wanted.name, [])
        paths = [
            path for path in alike if _agree(path.parts[:-1], wanted.relative_to(wanted.anchor).parts[:-1])
        ]
        if not paths:
            raise Excluded("missing-file", "no file under the root has this name")
        if wanted in paths:
            return str(wanted)
        path, *copies = map(str, paths)
        release.require_copies(self._root, [path, *copies])
        self.copies.update(copies)
        return path


def _agree(first: Sequence[str], second: Sequence[str]) -> bool:
    """Whether one of two series of folders ends in the other."""
    return all(a == b for a, b in zip(reversed(first), reversed(second), strict=False))


def _named(files: Files, name: str) -> str:
    """Path of a file that the config names."""
    path = PurePosixPath(name).as_posix()
    if path not in files.paths:
        raise ValueError(f"{files.root}: expected the file '{name}' that the config names, found none")
    return path


def _listed(files: Files, names: _Names, images: Mapping[str, Listed]) -> dict[str, tuple[str, Listed]]:
    """Listed images and their paths by their keys; those without a file are excluded."""
    found, keys = {}, {}
    for key, image in images.items():
        try:
            path = names.find(image.name)
        except Excluded as error:
            files.exclude(image.place, error)
            continue
        if path in keys:
            raise ValueError(
                f"{files.root}: expected each image to be listed once, got {images[keys[path]].place} and "
                f"{image.place} for one file"
            )
        keys[path], found[key] = key, (path, image)
    return found


def _described(
    files: Files,
    names: _Names,
    listed: Mapping[str, tuple[str, Listed]],
    rows: Sequence[Listed],
    is_complete: bool,
) -> dict[str, Listed]:
    """Images by their paths, with what the table of images gives.

    COCO lists every image, so the annotations are complete (`is_complete`); in a table of boxes, images
    without a finding may be missing.
    """
    images = dict(listed.values())
    for path, row in _listed(files, names, {row.place: row for row in rows}).values():
        if path in images:
            images[path] = annotation_files.together(images[path], row)
        elif is_complete:
            files.exclude(row.place, Excluded("not-in-table", "the annotations do not list this image"))
        else:
            images[path] = row
    return images


def _findings(
    files: Files, listed: Mapping[str, tuple[str, Listed]], content: Content
) -> dict[str, list[Finding]]:
    """Findings by the paths of their images; those of other images are excluded."""
    findings = {}
    known = {row["path"] for row in files.excluded}
    for key, group in content.findings.items():
        if key in listed:
            findings[listed[key][0]] = group
            continue
        for finding in group:
            if finding.place not in known:  # of a table, the row that stands for the image itself
                files.exclude(finding.place, Excluded("missing-image"))
    return findings


def _check_patients(root: Path, images: Iterable[Listed]) -> None:
    """Refuse images without a patient, and patients in several splits."""
    images, splits = list(images), defaultdict(set)
    unknown = [image.place for image in images if "patient" not in image.facts]
    if unknown:
        raise ValueError(
            f"{root}: expected the patient of every image, in a table of images or in COCO's images, got "
            f"none for {len(unknown)} of {len(images)}, the first of them {unknown[0]}"
        )
    for image in images:
        if "split" in image.facts:
            splits[image.facts["patient"]].add(image.facts["split"])
    for patient, parts in splits.items():
        if len(parts) > 1:
            raise ValueError(
                f"{root}: expected the images of a patient in one split, got those of patient '{patient}' in "
                f"{' and '.join(sorted(parts))}; correct 'split', or leave it out and use a number of folds"
            )


def _identifiers(paths: Iterable[str]) -> dict[str, str]:
    """Identifiers of images: names of files; where these are not unique, with folders, or also suffixes."""
    paths = list(map(PurePosixPath, paths))
    for name in (lambda path: path.stem, lambda path: str(path.with_suffix("")), str):
        names = [_UNUSUAL.sub("_", name(path)) for path in paths]
        if len(set(names)) == len(paths):
            break
    return dict(zip(map(str, paths), names, strict=True))


def _image(
    root: Path, masses: str | Sequence[str], image_id: str, path: str, listed: Listed, findings: list[Finding]
) -> _Image:
    image = _Image()
    try:
        seen = _seen(root, path)
        if listed.shape not in (None, seen.shape):
            sizes = ["{} × {}".format(*shape) for shape in (listed.shape, seen.shape)]
            raise Excluded(
                "image-size", f"the annotations are of {sizes[0]} pixels, the image has {sizes[1]}"
            )
        spacing_mm = listed.facts.get("spacing_mm", seen.spacing_mm)
        _add_lesions(image, image_id, findings, masses, seen.shape, spacing_mm)
    except Excluded as error:
        image.lesions.clear()
        left_out = {finding.place: Excluded("image-excluded") for finding in findings}
        image.excluded = [(path, error), *(left_out | dict(image.excluded)).items()]
        return image
    laterality = listed.facts.get("laterality", seen.laterality)
    view = listed.facts.get("view", seen.view)
    image.flags += seen.flags
    image.flags += release.side_flags(laterality, seen.sides) if laterality else ["laterality-unknown"]
    image.flags += [] if view else ["view-unknown"]
    image.row = {
        "image_id": image_id,
        "patient_id": listed.facts["patient"],
        "laterality": laterality,
        "view": view,
        "official_split": listed.facts.get("split", ""),
        "path": path,
        "rows": seen.shape[0],
        "columns": seen.shape[1],
        "spacing_mm": nan if spacing_mm is None else spacing_mm,
        "spacing_source": "table" if "spacing_mm" in listed.facts else seen.spacing_source,
        "flags": ";".join(dict.fromkeys(image.flags)),
    }
    return image


def _seen(root: Path, path: str) -> _Seen:
    file = release.inside(root, path)
    if picture_files.kind(file) != picture_files.DICOM:
        return _Seen(picture_files.shape(file))
    header = headers.read_header(file)
    if reason := headers.gate(header):
        raise Excluded(reason)
    spacing_mm, source, flags = headers.spacing(header)
    return _Seen(
        shape=(header.Rows, header.Columns),
        spacing_mm=spacing_mm,
        spacing_source=source,
        sides=headers.sides(header),
        laterality=headers.side(header),
        view=headers.view(header),
        flags=headers.flags(header) + flags,
    )


def _add_lesions(
    image: _Image,
    image_id: str,
    findings: Sequence[Finding],
    masses: str | Sequence[str],
    shape: tuple[int, int],
    spacing_mm: float | None,
) -> None:
    """Add the masses among some findings to an image.

    Raises
    ------
    Excluded
        ``other-findings`` where there are only others; ``lesion-excluded`` where a mass cannot be used.
    """
    wanted = [each for each in findings if _may_be_mass(each, masses)]
    if findings and not wanted:
        raise Excluded("other-findings")
    image.ignored.update(each.category for each in findings if not _may_be_mass(each, masses))
    used, failures = set(), {}
    for finding in wanted:
        if (said := _said(finding)) in used:
            image.excluded.append((finding.place, Excluded("duplicate")))
            continue
        used.add(said)
        try:
            mask, flag = _drawn(finding, masses, shape)
        except Excluded as error:
            failures[finding.place] = error
            continue
        image.flags += [flag] if flag else []
        image.lesions.append(
            release.lesion_row(
                image_id=image_id,
                lesion_id=f"{image_id}_{len(used)}",
                mask=mask,
                spacing_mm=spacing_mm,
                pathology=finding.category or "",
                source=finding.source,
            )
        )
    if failures:
        image.excluded += failures.items()
        raise release.lesion_excluded(len(failures), len(used))


def _may_be_mass(finding: Finding, masses: str | Sequence[str]) -> bool:
    """Whether a finding has a category of masses, or one that is not known."""
    return masses == ALL or finding.category is None or finding.category in masses


def _said(finding: Finding) -> str:
    """What a finding says, without its identifier: the same for one that is listed twice."""
    return repr((finding.category, *map(finding.entry.get, ("bbox", "segmentation", "iscrowd"))))


def _drawn(finding: Finding, masses: str | Sequence[str], shape: tuple[int, int]) -> tuple[np.ndarray, str]:
    """Mask and flag of a mass; see `coco_masks.draw`."""
    if finding.category is None and masses != ALL:
        raise Excluded("bad-annotation", "a category that the annotations do not list")
    if finding.entry.get("iscrowd"):
        raise Excluded("crowd")
    if not finding.entry:
        raise Excluded("lesion-without-coordinates")
    return coco_masks.draw(finding.entry, shape)


def _account(files: Files, used: set[str]) -> None:
    """Exclude all other images, and count what is plainly none."""
    known = used | {row["path"] for row in files.excluded}
    for path in files.paths:
        if path in known:
            continue
        if _is_image(files.root, path):
            files.exclude(path, Excluded("not-in-table"))
        else:
            files.plain += 1


def _is_image(root: Path, path: str) -> bool:
    """Whether a file is, or by its name should be, an image; one that cannot be opened may be."""
    if PurePosixPath(path).suffix.lower() in picture_files.SUFFIXES or release.is_image(root, path):
        return True
    try:
        return bool(picture_files.kind(release.inside(root, path)))
    except Excluded:
        return False


def _counts(images: Sequence[_Image]) -> dict[str, int]:
    """Quantities of the reconciliation; the annotations that are not masses follow by category."""
    usable = [image for image in images if image.row]
    ignored = sum((image.ignored for image in usable), Counter())
    return {
        "patients": len({image.row["patient_id"] for image in usable}),
        "images": len(usable),
        "images with masses": sum(bool(image.lesions) for image in usable),
        "images without masses": sum(not image.lesions for image in usable),
        "lesions": sum(len(image.lesions) for image in usable),
        **{f"annotations ignored: {name}": count for name, count in sorted(ignored.items())},
    }
