"""Creates the images for the benchmarks of bank and feed: breasts with the grain of a mammogram."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from scipy import ndimage

sys.path.append(str(Path(__file__).resolve().parents[1] / "workflow" / "scripts"))

STRIDE = 56

# Approximate number of patches per image in the bank.
PER_IMAGE = 128


def mammogram(number: int, window: int) -> SimpleNamespace:
    """12 bits, smooth tissue and grain; the upper half of the image is mass, so that both classes balance."""
    generator = np.random.default_rng(number)
    side = window + STRIDE * int(np.sqrt(PER_IMAGE))
    tissue = ndimage.zoom(generator.normal(2000, 500, (side // 16 + 1,) * 2), 16, order=1)[:side, :side]
    pixels = np.clip(tissue + generator.normal(0, 25, tissue.shape), 0, 4095).astype(np.uint16)
    breast = np.ones(pixels.shape, bool)
    lesions = np.zeros(pixels.shape, np.uint8)
    lesions[: side // 2] = 1
    return SimpleNamespace(pixels=pixels, breast=breast, lesions=lesions, masses=1)


def store(patches: int, window: int) -> dict[str, SimpleNamespace]:
    """Images for about as many patches."""
    return {f"{n:06}": mammogram(n, window) for n in range(max(1, round(patches / PER_IMAGE)))}
