"""Compares indexing all 10,239 objects of CBIS-DDSM with reading each file by pydicom.

Objects have genuine headers and the archive's mean size. Except for the masses, their pixels are holes in
sparse files, so that they need little disk space and are read as fast as from memory. Run from the root of
the repository:

    python benchmarks/index.py --threads 2

Prints seconds, their ratio, the bytes read and the peak memory. Reading by pydicom is timed on every
twentieth file and scaled up.
"""

import argparse
import os
import resource
import sys
import tempfile
from collections import deque
from pathlib import Path

import pydicom

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow" / "scripts"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

import cbis_ddsm_layouts as layouts
from measuring import measure

from mammoflow.archives import cbis_ddsm

PARTS = tuple(layouts.TABLES)
CROP = (466, 423)


def write(root: Path, shape: tuple[int, int]) -> list[Path]:
    """Release whose images and masks have a shape; returns its objects."""
    layouts.write_tables(root, PARTS)
    paths, scale = [], min(shape[0] // layouts.SMALL[0], shape[1] // layouts.SMALL[1])
    for item in layouts.objects(PARTS):
        size, bits = (CROP if item.role == "crop" else shape), (8 if item.role == "mask" else 16)
        head = layouts.head(item, size, bits)
        path = root / layouts.of_2017(item)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.write(head)
            if item.role == "mask":
                y0, x0, y1, x1 = (scale * at for at in layouts.box(item.region % 660))
                for y in range(y0, y1):
                    file.seek(len(head) + y * size[1] + x0)
                    file.write(b"\xff" * (x1 - x0))
            length = size[0] * size[1] * bits // 8
            file.truncate(len(head) + length + length % 2)
        paths.append(path)
    return paths


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--shape", type=int, nargs=2, default=(5300, 3150), metavar=("ROWS", "COLUMNS"))
    parser.add_argument("--every", type=int, default=20, help="naive way on one file of so many")
    parser.add_argument("--folder", help="where the release is written, and removed; 3 GiB of disk at most")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        paths = write(Path(folder), tuple(options.shape))
        stored = sum(os.stat(path).st_blocks * 512 for path in paths) / 2**30
        size = sum(path.stat().st_size for path in paths) / 2**30
        print(f"{len(paths)} objects of {size:.0f} GiB, which take {stored:.1f} GiB on the disk")
        found, ours, ours_used, read = measure(lambda: cbis_ddsm.index(Path(folder), options.threads))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
        print(
            f"index, {options.threads} threads: {ours:.1f} s, {ours_used:.1f} s of processor time, "
            f"{read:.1f} GiB read, peak {peak:.0f} MiB"
        )
        print(f"{len(found.images)} images, {len(found.lesions)} masses, {len(found.excluded)} exclusions")
        chosen = paths[:: options.every]
        scale = len(paths) / len(chosen)
        _, naive, used, read = measure(lambda: deque(map(pydicom.dcmread, chosen), maxlen=0))
        print(
            f"dcmread of each file: {naive * scale:.1f} s, {used * scale:.1f} s of processor time, "
            f"{read * scale:.1f} GiB read"
        )
        print(f"ratio {naive * scale / ours:.1f}, of processor time {used * scale / ours_used:.1f}")


if __name__ == "__main__":
    main()
