"""Writes the CBIS-DDSM release from its real tables, with small images, in the layouts of download tools.

Objects have the headers of a real object (implicit VR, Secondary Capture, MG, no spacing) and are assembled
without pydicom, which reads them afterwards.
"""

import csv
import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

DATA = Path(__file__).resolve().parents[1] / "data" / "cbis-ddsm"
TABLES = {
    f"{kind.capitalize()}-{part}": f"{kind}_case_description_{split}_set.csv"
    for kind in ("mass", "calc")
    for part, split in (("Training", "train"), ("Test", "test"))
}
ROWS = {"Mass-Training": 1318, "Mass-Test": 378, "Calc-Training": 1546, "Calc-Test": 326}
REAL = DATA / "Mass-Training_P_00004_LEFT_CC_1__cropped_000001.dcm"
NAMES = {"full": "full mammogram images", "crop": "cropped images", "mask": "ROI mask images"}

SMALL = (40, 32)
# 87/100 is 43.5/50: the two digitisers' pixel sizes, which some masks differ by from their images.
IMAGE, MASK = (87, 87), (100, 100)
RESIZED = (
    "Mass-Training_P_00009_RIGHT_CC",
    "Mass-Training_P_00106_LEFT_CC",  # several masses
    "Mass-Training_P_01981_RIGHT_MLO",
    "Mass-Test_P_00016_LEFT_CC",
    "Mass-Test_P_01534_RIGHT_CC",
)


@dataclass(frozen=True)
class Object:
    """A DICOM object; its place in its series is where it is on disk, not where the table has it."""

    number: int
    role: str
    case: str
    study: str
    series: str
    place: int
    description: str
    region: int = -1

    @property
    def image(self) -> str:
        """Case of its full image."""
        return self.case if self.role == "full" else self.case.rpartition("_")[0]


Layout = Callable[[Object], str]


def rows(part: str) -> list[dict[str, str]]:
    """Rows of a table, their cells without the newlines that end some."""
    with (DATA / TABLES[part]).open(encoding="utf-8", newline="") as file:
        return [{column: cell.strip() for column, cell in row.items()} for row in csv.DictReader(file)]


@cache
def objects(parts: tuple[str, ...] = ("Mass-Training", "Mass-Test")) -> list[Object]:
    """Objects of the parts' images and regions, crop and mask swapped as they are on disk."""
    with (DATA / "mask_file_on_disk.csv").open(encoding="utf-8", newline="") as file:
        on_disk = {row["roi_dir"]: row for row in csv.DictReader(file)}
    found, images = [], set()

    def add(role: str, key: tuple[str, str, str], place: int, description: str, region: int = -1) -> None:
        found.append(Object(len(found), role, *key, place, description, region))

    for region, row in enumerate(row for part in parts for row in rows(part)):
        full, crop, mask = (
            tuple(row[f"{name} file path"].split("/")[:3]) for name in ("image", "cropped image", "ROI mask")
        )
        if full not in images:
            images.add(full)
            add("full", full, 0, NAMES["full"])
        if crop == mask:
            said = on_disk.get(mask[0], {"disk_mask_file": "1-2.dcm", "disk_series_folder": ""})
            description = NAMES["crop"] if "-cropped " in said["disk_series_folder"] else NAMES["mask"]
            place = int(said["disk_mask_file"] == "1-2.dcm")
            add("crop", crop, 1 - place, description, region)
            add("mask", mask, place, description, region)
        else:
            add("crop", crop, 0, NAMES["crop"], region)
            add("mask", mask, 0, NAMES["mask"], region)
    return found


def as_the_tables_say(item: Object) -> str:
    """Folders named by whole identifiers."""
    return f"{item.case}/{item.study}/{item.series}/{item.place:06d}.dcm"


def of_2016(item: Object) -> str:
    """Folders named by dates, kinds and the tails of identifiers."""
    study, series = item.study[-5:], item.series[-5:]
    return f"{item.case}/10-04-2016-DDSM-{study}/1-{item.description}-{series}/{item.place:06d}.dcm"


def of_2017(item: Object) -> str:
    """The same with other numbers, and objects counted from 1."""
    study, series = item.study[-5:], item.series[-5:]
    folder = f"08-29-2017-DDSM-NA-{study}/1.000000-{item.description}-{series}"
    return f"{item.case}/{folder}/1-{item.place + 1}.dcm"


def without_na(item: Object) -> str:
    return of_2017(item).replace("-NA-", "-")


def below_a_manifest(item: Object) -> str:
    return f"manifest-1600709154662/CBIS-DDSM/{of_2017(item)}"


def by_set(item: Object) -> str:
    """A folder for each set."""
    return f"{part(item)}/{of_2016(item)}"


def part(item: Object) -> str:
    """``Mass-Training`` and the like."""
    return item.case.partition("_P_")[0]


def write_tables(folder: Path, parts: tuple[str, ...], separator: str = "/", newline: str = "\n") -> None:
    """Copies of real tables, with other separators in their paths or other line ends."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in parts:
        text = (DATA / TABLES[name]).read_bytes()
        copy = text.replace(b"\n", newline.encode()).replace(b"/", separator.encode())
        (folder / TABLES[name]).write_bytes(copy)


def shape(item: Object) -> tuple[int, int]:
    """Rows and columns of a full image or a mask."""
    if item.image not in RESIZED:
        return SMALL
    return IMAGE if item.role == "full" else MASK


def box(region: int) -> tuple[int, int, int, int]:
    """Where the mass of a region lies in its image: another place or size for every region."""
    place, size = region % 660, region // 660
    y0, x0 = divmod(place, 22)
    return y0, x0, y0 + 3 + size, x0 + 5


def pixels(item: Object) -> np.ndarray:
    """Small pixels of an object: a full image of many values, a small crop of many, a mask of two."""
    if item.role == "mask":
        y0, x0, y1, x1 = box(item.region)
        mask = np.zeros(IMAGE if item.image in RESIZED else SMALL, np.uint8)
        mask[y0:y1, x0:x1] = 255
        down, across = (
            ((np.arange(size) + 0.5) * own / size).astype(int)
            for size, own in zip(shape(item), mask.shape, strict=True)
        )
        return mask[np.ix_(down, across)]
    size = shape(item) if item.role == "full" else (9, 7)
    values = np.arange(size[0] * size[1]).reshape(size) * 13 + item.number
    return (values % 4099).astype("<u2")


def store(folder: Path, items: list[Object]) -> None:
    """Write every object once, named by its number."""
    for item in items:
        data = pixels(item)
        content = head(item, data.shape, 8 * data.itemsize) + data.tobytes()
        (folder / str(item.number)).write_bytes(content)


def lay_out(root: Path, items: list[Object], layout: Layout, stored: Path) -> None:
    """Link stored objects into a tree."""
    folders = set()
    for item in items:
        path = root / layout(item)
        if path.parent not in folders:
            path.parent.mkdir(parents=True, exist_ok=True)
            folders.add(path.parent)
        os.link(stored / str(item.number), path)


def head(item: Object, size: tuple[int, int], bits: int) -> bytes:
    """File of an object up to its pixel values: that of the real object, with elements of its own."""
    content, start, elements = _real()
    instance = f"1.3.6.1.4.1.9590.100.1.2.{10**37 + item.number}"
    meta = content[:start].replace(elements[0x0008_0018].rstrip(b"\0"), instance.encode())
    words = {
        0x0008_0018: instance,
        0x0008_103E: item.description,
        0x0010_0010: item.case,
        0x0010_0020: item.case,
        0x0020_000D: item.study,
        0x0020_000E: item.series,
        0x0020_0013: str(item.place + 1),
        0x0020_0060: "L" if "_LEFT_" in item.case else "R",
    }
    values = dict(elements)
    for tag, word in words.items():
        pad = b"\0" if word[:2] == "1." else b" "
        values[tag] = word.encode() + pad * (len(word) % 2)
    for tag, number in {
        0x0028_0010: size[0],
        0x0028_0011: size[1],
        0x0028_0100: bits,
        0x0028_0101: bits,
        0x0028_0102: bits - 1,
    }.items():
        values[tag] = struct.pack("<H", number)
    body = b"".join(_tag(tag, len(value)) + value for tag, value in sorted(values.items()))
    return meta + body + _tag(0x7FE0_0010, size[0] * size[1] * bits // 8)


def _tag(tag: int, length: int) -> bytes:
    return struct.pack("<HHL", tag >> 16, tag & 0xFFFF, length + length % 2)


@cache
def _real() -> tuple[bytes, int, dict[int, bytes]]:
    """The real object, where its data set begins, and the elements before its pixels (PS3.5 7.1.3)."""
    content = REAL.read_bytes()
    start = 144 + struct.unpack("<L", content[140:144])[0]
    return content, start, dict(_elements(content, start))


def _elements(content: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    while at < len(content):
        group, element, length = struct.unpack("<HHL", content[at : at + 8])
        if group == 0x7FE0:
            return
        yield group << 16 | element, content[at + 8 : at + 8 + length]
        at += 8 + length
