"""Converts coordinates between an original image and its stored breast: crop, mirror and scale."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import ceil

import numpy as np


def reduced(size: int, factor: float) -> int:
    """Stored pixels that cover `size` original pixels; rounding errors do not add a pixel."""
    return max(1, ceil(size / factor - 1e-6))


@dataclass(frozen=True)
class Geometry:
    """Position of a stored image in its original.

    The original is cropped, mirrored left to right if its chest wall is on the right, and area-averaged,
    in this order.

    Parameters
    ----------
    rows, columns : int
        Shape of the original image.
    y0, x0, y1, x1 : int
        Crop box in original pixels, half-open.
    mirrored : bool
        Whether columns are reversed in the stored image.
    factor : float
        Original pixels per stored pixel along each axis, at least 1.
    """

    rows: int
    columns: int
    y0: int
    x0: int
    y1: int
    x1: int
    mirrored: bool
    factor: float

    def __post_init__(self) -> None:
        if not (0 <= self.y0 < self.y1 <= self.rows and 0 <= self.x0 < self.x1 <= self.columns):
            raise ValueError(
                f"geometry: expected a crop box inside an image of {self.rows}×{self.columns} pixels, "
                f"got {(self.y0, self.x0, self.y1, self.x1)}"
            )
        if not 1 <= self.factor < np.inf:
            raise ValueError(f"geometry: expected a factor of at least 1, got {self.factor}")

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the stored image; its last row and column may cover less than a pixel."""
        return reduced(self.y1 - self.y0, self.factor), reduced(self.x1 - self.x0, self.factor)

    def to_attributes(self) -> dict[str, int | float | bool]:
        """Fields by name, to be stored as HDF5 attributes."""
        return asdict(self)

    @classmethod
    def from_attributes(cls, attributes: Mapping[str, object]) -> "Geometry":
        """Geometry from a mapping with at least these fields, of any numeric type."""
        kinds = {"mirrored": bool, "factor": float}
        return cls(**{name: kinds.get(name, int)(attributes[name]) for name in cls.__dataclass_fields__})

    def to_stored(self, boxes: np.ndarray) -> np.ndarray:
        """Convert boxes of the original image to coordinates of the stored image.

        Parameters
        ----------
        boxes : (n, 4) array
            y0, x0, y1, x1, half-open, original pixels.

        Returns
        -------
        (n, 4) float64 ndarray
            y0, x0, y1, x1, half-open, stored pixels; beyond the image for boxes beyond the crop.
        """
        y0, x0, y1, x1 = np.asarray(boxes, dtype=np.float64).reshape(-1, 4).T
        left, right = (self.x1 - x1, self.x1 - x0) if self.mirrored else (x0 - self.x0, x1 - self.x0)
        return np.stack([y0 - self.y0, left, y1 - self.y0, right], axis=1) / self.factor

    def to_original(self, boxes: np.ndarray) -> np.ndarray:
        """Convert boxes of the stored image to pixels of the original image; the inverse of `to_stored`.

        Parameters
        ----------
        boxes : (n, 4) array
            y0, x0, y1, x1, half-open, stored pixels.

        Returns
        -------
        (n, 4) int64 ndarray
            y0, x0, y1, x1, half-open, rounded to original pixels and clipped to the image.
        """
        y0, left, y1, right = np.asarray(boxes, dtype=np.float64).reshape(-1, 4).T * self.factor
        x0, x1 = (self.x1 - right, self.x1 - left) if self.mirrored else (self.x0 + left, self.x0 + right)
        original = np.stack([y0 + self.y0, x0, y1 + self.y0, x1], axis=1)
        limits = [self.rows, self.columns, self.rows, self.columns]
        return np.clip(np.rint(original).astype(np.int64), 0, limits)

    def within_crop(self, boxes: np.ndarray) -> np.ndarray:
        """Clip boxes of the original image to the crop; at least one pixel of each remains.

        The last row and column of a stored image may extend beyond the crop, and so may boxes that end there.

        Parameters
        ----------
        boxes : (n, 4) array
            y0, x0, y1, x1, half-open, original pixels.

        Returns
        -------
        (n, 4) array
        """
        low = self.y0, self.x0, self.y0 + 1, self.x0 + 1
        high = self.y1 - 1, self.x1 - 1, self.y1, self.x1
        return np.clip(boxes, low, high)


def expected_side(laterality: str) -> str:
    """Side of the image where the chest wall lies by convention: left for ``"L"``, right for ``"R"``."""
    return {"L": "left", "R": "right"}.get(laterality, "")
