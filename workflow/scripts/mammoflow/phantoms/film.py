"""Simulates the appearance of digitised film: characteristic curve, fog, grain, labels, tape and frame."""

import numpy as np
from scipy import ndimage

from mammoflow.phantoms import anatomy, tissue

# Letters of 5 x 7 dots; each number encodes a row of dots.
_LETTERS = {
    "L": (16, 16, 16, 16, 16, 16, 31),
    "R": (30, 17, 17, 30, 20, 18, 17),
    "C": (14, 17, 16, 16, 16, 17, 14),
    "M": (17, 27, 21, 21, 17, 17, 17),
    "O": (14, 17, 17, 17, 17, 17, 14),
    " ": (0, 0, 0, 0, 0, 0, 0),
}


def expose(
    rng: np.random.Generator, breast: anatomy.Breast, view: anatomy.View, detector: anatomy.Detector
) -> np.ndarray:
    """Simulate a digitised film mammogram with the polarity of CBIS-DDSM (dense is bright).

    Parameters
    ----------
    rng : numpy.random.Generator
        Random generator for this image.
    breast : anatomy.Breast
        The breast to image.
    view : anatomy.View
        One of its views.
    detector : anatomy.Detector
        Number and size of the digitiser's pixels.

    Returns
    -------
    ndarray of uint16, shape (rows, columns)
        The background is dark and uneven, but never 0.

    References
    ----------
    .. [1] M. Heath et al., "The Digital Database for Screening Mammography", Proc. 5th International
       Workshop on Digital Mammography, 212-218 (2001): the films and digitisers behind CBIS-DDSM.
    """
    attenuation, _ = tissue.attenuation(rng, breast, view, detector)
    brightness = _characteristic(rng, attenuation) + _unevenness(rng, attenuation.shape)
    image = tissue.to_detector(brightness, detector, breast.side)
    image += _grain(rng, image)
    _tape(rng, image, breast.side)
    _label(rng, image, f"{breast.side} {view.name}", breast.side)
    _frame(rng, image)
    return np.clip(image * 65535, 400, 65535).astype(np.uint16)


def _characteristic(rng: np.random.Generator, attenuation: np.ndarray) -> np.ndarray:
    """S-shaped response of film: low contrast in the toe (rim of fat) and the shoulder (dense tissue)."""
    speed, gamma = rng.normal(0.43, 0.02), rng.normal(6.0, 0.3)
    response = 1 / (1 + np.exp(-gamma * (attenuation - speed)))
    return 0.05 + 0.85 * response


def _unevenness(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Background of fog and uneven lamp light: a slope and a slow wave."""
    y, x = np.linspace(-1, 1, shape[0])[:, None], np.linspace(-1, 1, shape[1])[None, :]
    slope_y, slope_x, wave = rng.normal(0, 0.008, 3)
    return (slope_y * y + slope_x * x + wave * np.cos(2 * x + y)).astype(np.float32)


def _grain(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Correlated film grain, white noise of the digitiser, and stripes along the scan direction."""
    grain = ndimage.uniform_filter(rng.standard_normal(image.shape, np.float32), 3)
    stripes = rng.normal(0, 0.0012, (1, image.shape[1])).astype(np.float32)
    return grain * 0.035 * (0.35 + image) + stripes


def _label(rng: np.random.Generator, image: np.ndarray, text: str, side: str) -> None:
    """Bright block with dark letters in the corner away from the chest wall."""
    scale = max(1, image.shape[1] // rng.integers(220, 300))
    dots = np.concatenate([np.pad(_dots(letter), ((2, 2), (1, 1))) for letter in text], axis=1)
    block = np.kron(np.where(dots, 0.15, rng.uniform(0.85, 0.97)), np.ones((scale, scale))).astype(np.float32)
    if rng.random() < 0.4:
        block = np.rot90(block)
    if rng.random() < 0.15:
        return
    top = rng.integers(scale, max(scale + 1, image.shape[0] // 12))
    gap = rng.integers(2 * scale, 10 * scale)
    left = image.shape[1] - gap - block.shape[1] if side == "L" else gap
    left = max(0, left)
    target = image[top : top + block.shape[0], left : left + block.shape[1]]
    target[:] = block[: target.shape[0], : target.shape[1]]


def _dots(letter: str) -> np.ndarray:
    return np.array([[bool(row >> bit & 1) for bit in range(4, -1, -1)] for row in _LETTERS[letter]])


def _tape(rng: np.random.Generator, image: np.ndarray, side: str) -> None:
    """Strip of tape along the edge away from the chest wall, on some films."""
    if rng.random() > 0.3:
        return
    width = int(image.shape[1] * rng.uniform(0.015, 0.04))
    top, bottom = sorted(rng.integers(0, image.shape[0], 2))
    columns = slice(image.shape[1] - width, None) if side == "L" else slice(0, width)
    image[top:bottom, columns] = 0.5 * image[top:bottom, columns] + rng.uniform(0.25, 0.45)


def _frame(rng: np.random.Generator, image: np.ndarray) -> None:
    """Bright lines where the film ends and the digitiser's glass begins."""
    for edge in (image, image[::-1], image.T, image.T[::-1]):
        if rng.random() < 0.6:
            edge[: rng.integers(1, max(2, image.shape[0] // 250))] = rng.uniform(0.7, 1.0)
