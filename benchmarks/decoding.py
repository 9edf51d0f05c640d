"""Compares decoding with the minimum of work that it needs.

    python benchmarks/decoding.py --shape 4084 3328

Uncompressed pixels are compared with reading their bytes by NumPy; compressed pixels, which are sent to a
worker process and back, with the same decoder in this process. Prints medians of the repeats.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import gdcm
import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[1] / "workflow" / "scripts"))
sys.path.append(str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from releases_by_hand import dicom_file, recompress

from mammoflow.dicom import decoding, grey_values, headers

SYNTAXES = {
    "JPEG 2000": gdcm.TransferSyntax.JPEG2000Lossless,
    "JPEG lossless": gdcm.TransferSyntax.JPEGLosslessProcess14_1,
    "JPEG-LS": gdcm.TransferSyntax.JPEGLSLossless,
}


def picture(rows: int, columns: int) -> np.ndarray:
    """A bright half ellipse of noise on black, of 12 bits."""
    y, x = np.ogrid[:rows, :columns]
    breast = ((2 * y / rows - 1) ** 2 + (1.25 * x / columns) ** 2) < 1
    noise = np.random.default_rng(0).normal(2500, 40, (rows, columns))
    return np.where(breast, noise, 0).astype(np.uint16)


def seconds(function: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", type=int, nargs=2, default=(4084, 3328), metavar=("ROWS", "COLUMNS"))
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    pixels = picture(*options.shape)

    def ratio(ours: Callable[[], object], bare: Callable[[], object]) -> str:
        ours, bare = seconds(ours, options.repeats), seconds(bare, options.repeats)
        return f"{ours * 1e3:.0f} ms, {ours / bare:.2f} times"

    with tempfile.TemporaryDirectory() as folder:
        native, compressed = Path(folder, "native.dcm"), Path(folder, "compressed.dcm")
        for bits in (16, 12):
            dicom_file(native, pixels, BitsStored=bits, HighBit=bits - 1)
            start, length = headers.read_header(native).pixels.pieces[0]
            read = partial(np.fromfile, native, "<u2", length // 2, offset=start)
            print(
                f"uncompressed, {bits} bits: "
                f"{ratio(partial(grey_values.decode, native), read)} reading the bytes"
            )
        for name, syntax in SYNTAXES.items():
            recompress(native, compressed, syntax)
            here = partial(
                decoding.decode_here,
                grey_values.compressed_frame(compressed, headers.read_header(compressed)),
            )
            decoding.decode(here.args[0])  # starts the worker
            print(
                f"{name}: {ratio(partial(grey_values.decode, compressed), here)} the decoder in this process"
            )


if __name__ == "__main__":
    main()
