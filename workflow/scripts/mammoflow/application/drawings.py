"""Draws what was found on a mammogram: boxes with scores, and the map in colour. Only the breast is drawn."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mammoflow.base import storage
from mammoflow.breasts import preparation
from mammoflow.breasts.image_store import StoredImage
from mammoflow.detection.findings import Findings
from mammoflow.detection.mpm import Grid

# Longest side of a picture in pixels.
_LARGEST = 1200
_FONT = 16
_YELLOW, _BLACK = (255, 214, 0), (0, 0, 0)
# Colours of the map from 0 to 1 (dark, red, yellow), and how strongly the most probable ones cover the image.
_COLOURS = np.array([[0, 0, 0], [180, 20, 30], [255, 120, 0], [255, 240, 100]], float)
_COVER = 0.7


def overlay(findings: Findings, image: StoredImage, grid: Grid, path: Path) -> None:
    """Write the breast with its boxes and their scores as PNG, turned as in the original."""
    grey, scale = _picture(image)
    picture = Image.fromarray(grey).convert("RGB")
    _draw_boxes(picture, findings, image, scale)
    _save(picture, path)


def heat_map(findings: Findings, image: StoredImage, grid: Grid, path: Path) -> None:
    """Write the breast under its probability map as PNG, turned as in the original."""
    grey, scale = _picture(image)
    values = _turned(preparation.shrink(grid.map(), 1 / scale), image)[..., None]
    steps = np.linspace(0, 1, len(_COLOURS))
    colours = np.stack([np.interp(values[..., 0], steps, channel) for channel in _COLOURS.T], axis=-1)
    cover = _COVER * np.sqrt(np.clip(values, 0, 1))
    mixed = (1 - cover) * grey[..., None] + cover * colours
    picture = Image.fromarray(np.rint(mixed).clip(0, 255).astype(np.uint8))
    _draw_boxes(picture, findings, image, scale)
    _save(picture, path)


def _picture(image: StoredImage) -> tuple[np.ndarray, float]:
    """Grey picture of the breast, (m, n) uint8, and its pixels per stored pixel; air is black.

    What lies beyond the breast, such as a label with a name on a film, is not shown.
    """
    scale = min(1.0, _LARGEST / max(image.pixels.shape))
    low, high = np.percentile(image.pixels[image.breast], [1, 99.9]) if image.breast.any() else (0, 1)
    pixels = np.where(image.breast, image.pixels, low)
    pixels = (preparation.shrink(pixels, 1 / scale) - low) / max(high - low, 1)
    return _turned(np.rint(255 * pixels.clip(0, 1)).astype(np.uint8), image), scale


def _turned(picture: np.ndarray, image: StoredImage) -> np.ndarray:
    return picture[:, ::-1] if image.geometry.mirrored else picture


def _draw_boxes(picture: Image.Image, findings: Findings, image: StoredImage, scale: float) -> None:
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(_FONT)
    stored = image.geometry.to_stored(findings.boxes) * scale
    for (y0, x0, y1, x1), score in zip(stored, findings.scores, strict=True):
        if image.geometry.mirrored:
            x0, x1 = picture.width - x1, picture.width - x0
        draw.rectangle((x0, y0, max(x1 - 1, x0), max(y1 - 1, y0)), outline=_YELLOW, width=2)
        place = max(x0, 0), max(y0 - _FONT - 4, 0)
        draw.text(place, f"{score:.2f}", _YELLOW, font, stroke_width=2, stroke_fill=_BLACK)


def _save(picture: Image.Image, path: Path) -> None:
    with storage.whole(path) as temporary:
        picture.save(temporary, compress_level=1)
