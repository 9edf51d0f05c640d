"""Compares indexing the 20,000 images of VinDr-Mammo with reading each file by pydicom.

The release has the published counts and sizes. Its pixels are holes in sparse files, so that they need
little disk space; the index reads none of them. Run from the root of the repository:

    python benchmarks/index_vindr.py --threads 2

Prints seconds, their ratio, the bytes read and the peak memory. Reading by pydicom is timed on every
twentieth file and scaled up.
"""

import argparse
import resource
import sys
import tempfile
from collections import deque
from pathlib import Path

import pydicom

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow" / "scripts"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

import vindr_mammo_forms as forms
from measuring import measure

from mammoflow.archives import vindr_mammo


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--every", type=int, default=20, help="naive way on one file of so many")
    parser.add_argument("--folder", help="where the release is written, and removed; 0.2 GiB of disk")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        images = forms.whole(scale=1)
        forms.write_whole(Path(folder), images)
        found, ours, ours_used, read = measure(lambda: vindr_mammo.index(Path(folder), options.threads))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
        print(
            f"index, {options.threads} threads: {ours:.1f} s, {ours_used:.1f} s of processor time, "
            f"{read:.1f} GiB read, peak {peak:.0f} MiB"
        )
        print(f"{len(found.images)} images, {len(found.lesions)} masses, {len(found.excluded)} exclusions")
        chosen = [Path(folder) / image.path for image in images[:: options.every]]
        scale = len(images) / len(chosen)
        _, naive, used, read = measure(lambda: deque(map(pydicom.dcmread, chosen), maxlen=0))
        print(
            f"dcmread of each file: {naive * scale:.1f} s, {used * scale:.1f} s of processor time, "
            f"{read * scale:.1f} GiB read"
        )
        print(f"ratio {naive * scale / ours:.1f}, of processor time {used * scale / ours_used:.1f}")


if __name__ == "__main__":
    main()
