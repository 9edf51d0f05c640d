"""Writes releases in the form of VinDr-Mammo: small ones by hand, and one with the published counts.

Nothing is taken from the archive: identifiers and boxes are invented.
"""

import csv
import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain, cycle, islice, repeat
from pathlib import Path

import numpy as np
from releases_by_hand import dicom_file, half_ellipse

OF_IMAGE = (
    *("study_id", "series_id", "image_id", "laterality", "view_position", "height", "width"),
    *("breast_birads", "breast_density"),
)
OF_FINDING = ("finding_categories", "finding_birads", "xmin", "ymin", "xmax", "ymax")
NAMES = {"images": "breast-level_annotations.csv", "findings": "finding_annotations.csv"}
NONE = ("['No Finding']", "", "", "", "", "")

VIEWS = (("L", "CC"), ("L", "MLO"), ("R", "CC"), ("R", "MLO"))
# Sizes of the release, in pixels; tiny pictures have a hundredth of them.
SIZES = ((3518, 2800), (2812, 2012), (3580, 2600))
MASSES = {"training": (425, 44, 95), "test": (104, 11, 18)}
# Rows of other findings by category; besides, 174 masses have calcifications, and 21 of them a distortion.
OTHERS = {
    "Suspicious Calcification": 369,
    "Focal Asymmetry": 269,
    "Architectural Distortion": 98,
    "Asymmetry": 97,
    "Skin Thickening": 57,
    "Suspicious Lymph Node": 57,
    "Nipple Retraction": 37,
    "Global Asymmetry": 26,
    "Skin Retraction": 18,
}
CALCIFIED, DISTORTED = 174, 21
# Boxes (xmin, ymin, xmax, ymax) in tiny pictures: of a first mass, and of second ones.
BOX, OVERLAPPING, APART = (4.25, 3.5, 9.75, 8.5), (4.25, 5.5, 9.75, 10.5), (4.25, 12.5, 9.75, 17.5)
SUSPICIOUS_NORMAL, BEYOND, WITHOUT_BIRADS = 162, 42, 125


def identifier(*labels) -> str:
    """32 hexadecimal digits."""
    return hashlib.sha256(repr(labels).encode()).hexdigest()[:32]


@dataclass
class Image:
    """An image with its findings, each the last cells of its row."""

    study: str
    series: str
    image_id: str
    side: str
    view: str
    size: tuple[int, int]
    split: str
    birads: str = "BI-RADS 1"
    findings: list[tuple] = field(default_factory=list)

    @property
    def path(self) -> str:
        return f"images/{self.study}/{self.image_id}.dicom"

    @property
    def cells(self) -> list:
        """What both tables say about the image, without its part of the split."""
        return [
            self.study,
            self.series,
            self.image_id,
            self.side,
            self.view,
            *self.size,
            self.birads,
            "DENSITY C",
        ]


def finding(categories: Iterable[str], box: Iterable[float] = (), birads: str = "BI-RADS 4") -> tuple:
    """Last cells of the row of a finding."""
    return (str(list(categories)), birads, *(box or ("", "", "", "")))


def write_tables(root: Path, images: Iterable[Image]) -> None:
    """Write both tables."""
    images = list(images)
    rows = {
        "images": [[*OF_IMAGE, "split"], *([*image.cells, image.split] for image in images)],
        "findings": [
            [*OF_IMAGE, *OF_FINDING, "split"],
            *([*image.cells, *cells, image.split] for image in images for cells in image.findings or [NONE]),
        ],
    }
    for kind, name in NAMES.items():
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows[kind])
        (root / name).write_text(text.getvalue())


def study(number: int = 0, size: tuple[int, int] = (40, 32), split: str = "training") -> list[Image]:
    """The four images of a study without findings."""
    name = identifier("study", number)
    return [
        Image(name, identifier(name, "series"), identifier(name, place), side, view, size, split)
        for place, (side, view) in enumerate(VIEWS)
    ]


def write(root: Path, images: Iterable[Image], **elements) -> None:
    """Write a small release."""
    images = list(images)
    write_tables(root, images)
    for image in images:
        dicom_file(root / image.path, half_ellipse(image.size), **elements)


def whole(scale: int = 100) -> list[Image]:
    """All 20,000 images with the published counts, in pixels of a fraction of the size."""
    sizes = [tuple(side // scale for side in size) for size in SIZES]
    images = [_images(number, sizes) for number in range(5000)]
    splits = {"training": images[:4000], "test": images[4000:]}
    found = [_masses(splits[split], *MASSES[split]) for split in splits]
    with_masses = [image for _, some in found for image in some]
    masses = list(chain.from_iterable(rows for rows, _ in found))
    others = [of_study[2] for of_study in (*images[:530], *images[4000:4125])]
    categories = chain.from_iterable([name] * count for name, count in OTHERS.items())
    carriers = _carriers(others, with_masses)
    rows = [[image, [name], BOX] for image, name in zip(carriers, categories, strict=True)]
    for number, row in enumerate(masses[:CALCIFIED]):
        row[1] = ["Suspicious Calcification", "Mass", *["Architectural Distortion"][: number < DISTORTED]]
    for row in masses[-BEYOND:]:
        width = row[0].size[1]
        row[2] = (width - 5.5, 2.25, width + 0.4, 9.75)
    birads = chain(
        *(repeat(f"BI-RADS {n}", count) for n, count in ((3, 893), (4, 995), (5, 241))),
        repeat("", WITHOUT_BIRADS),
    )
    shuffled = np.random.default_rng(0).permutation(list(birads))
    for (image, listed, box), score in zip([*masses, *rows], shuffled.tolist(), strict=True):
        image.findings.append(finding(listed, box, score))
        image.birads = "BI-RADS 4"
    normal = (image for of_study in images for image in of_study if not image.findings)
    for image in islice(normal, SUSPICIOUS_NORMAL):
        image.birads = "BI-RADS 3"
    images[-1][1].view = "CC"
    return list(chain.from_iterable(images))


def _images(number: int, sizes: list[tuple[int, int]]) -> list[Image]:
    """Images of a study: 151 studies have two sizes, 24 have two series and four have four."""
    found = study(number, sizes[number % 5 == 4], "training" if number < 4000 else "test")
    if number < 151:
        found[3].size = sizes[2]
    parts = 2 if number < 24 else 4 if number < 28 else 1
    for place, image in enumerate(found):
        image.series = identifier(image.study, "series", place % parts)
    return found


def _masses(
    studies: list[list[Image]], pairs: int, singles: int, doubles: int
) -> tuple[list[list], list[Image]]:
    """Rows of masses, and their images: both views of so many left breasts, one view of others.

    Some images have two masses.
    """
    images = [image for of_study in studies[:pairs] for image in of_study[:2]]
    images += [of_study[0] for of_study in studies[pairs : pairs + singles]]
    rows = [[image, ["Mass"], BOX] for image in images[:doubles]]
    rows += [
        [image, ["Mass"], OVERLAPPING if number < 21 else APART]
        for number, image in enumerate(images[:doubles])
    ]
    return rows + [[image, ["Mass"], BOX] for image in images[doubles:]], images


def _carriers(others: list[Image], with_masses: list[Image]) -> Iterable[Image]:
    """Images of the rows of other findings: each that has no mass, many of them twice, some with masses."""
    return islice(chain(others, others[:300], cycle(with_masses)), sum(OTHERS.values()))


def write_whole(root: Path, images: Iterable[Image]) -> None:
    """Write a release whose pictures of one size are all the same; the pixels are holes in sparse files."""
    images = list(images)
    write_tables(root, images)
    (root / "LICENSE.txt").write_text("none")
    for name in {image.study for image in images}:
        (root / "images" / name).mkdir(parents=True)
    heads = {size: _head(root, size) for size in {image.size for image in images}}
    for image in images:
        with (root / image.path).open("wb") as file:
            file.write(heads[image.size])
            file.truncate(len(heads[image.size]) + 2 * image.size[0] * image.size[1])


def _head(root: Path, size: tuple[int, int]) -> bytes:
    """File of an image up to its pixels."""
    pixels = np.zeros(size, np.uint16)
    path = dicom_file(root / "head.dicom", pixels, ImagerPixelSpacing=[0.1, 0.1], PatientID="")
    content = path.read_bytes()
    path.unlink()
    return content[: -2 * size[0] * size[1]]
