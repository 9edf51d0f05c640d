"""Turns a decoded mammogram and its lesion masks into a stored image."""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import sparse

from mammoflow.base.boxes import bounding_box
from mammoflow.base.contracts.stored import FALLBACK, LESION_OUTSIDE
from mammoflow.base.exclusions import Excluded
from mammoflow.breasts import segmentation
from mammoflow.breasts.geometry import Geometry, expected_side, reduced
from mammoflow.breasts.image_store import OVERVIEW, Overview, StoredImage
from mammoflow.breasts.segmentation import Region

# More masks than any image has; all masks of an image are in memory at the same time.
MAX_LESIONS = 64


def overview(region: Region) -> Overview:
    """Overview of an image, from the result of its segmentation."""
    rows, columns = region.mask.shape
    picture = shrink(region.small, max(1.0, max(region.small.shape) / OVERVIEW))
    low, high = np.percentile(picture, [1, 99])
    picture = np.sqrt(np.clip((picture - low) / max(high - low, 1), 0, 1))
    places = [
        ((np.arange(count) + 0.5) * size / count).astype(int)
        for count, size in zip(picture.shape, region.mask.shape, strict=True)
    ]
    return Overview(np.rint(255 * picture).astype(np.uint8), region.mask[np.ix_(*places)], rows, columns)


def pixels_digest(image: np.ndarray) -> str:
    """Hexadecimal SHA-256 of an image's shape and grey values, equal for copies of an image under two names.

    Parameters
    ----------
    image : (M, N) uint16 ndarray
        Grey values of an original image.

    Notes
    -----
    The digest covers the text ``"M N "`` and the pixels row by row, low byte first.
    """
    digest = hashlib.sha256("{} {} ".format(*image.shape).encode())
    digest.update(np.ascontiguousarray(image, dtype="<u2"))
    return digest.hexdigest()


def shrink(image: np.ndarray, factor: float) -> np.ndarray:
    """Reduce an image by area averaging: each output pixel is the mean of the area that it covers.

    Parameters
    ----------
    image : (M, N) array
        Any real or boolean type.
    factor : float
        Input pixels per output pixel along each axis, at least 1; need not be an integer.

    Returns
    -------
    (ceil(M / factor), ceil(N / factor)) float32 ndarray
        The last row and column average the remainder of the image.

    Examples
    --------
    >>> shrink(np.array([[0, 3, 6]]), 1.5).tolist()
    [[1.0, 5.0]]
    """
    down = _weights(image.shape[0], factor) @ image.astype(np.float32, copy=False)
    return np.ascontiguousarray((_weights(image.shape[1], factor) @ down.T).T)


def _weights(size: int, factor: float) -> sparse.csr_array:
    """Weight of each of `size` input pixels in each output pixel; rows sum to 1."""
    count = reduced(size, factor)
    edges = np.append(np.arange(count) * float(factor), size)
    first = np.floor(edges[:-1]).astype(int)
    last = np.ceil(edges[1:]).astype(int)
    rows = np.repeat(np.arange(count), last - first)
    columns = np.concatenate([np.arange(*span) for span in zip(first, last, strict=True)])
    shares = np.minimum(columns + 1, edges[rows + 1]) - np.maximum(columns, edges[rows])
    shares /= np.diff(edges)[rows]
    return sparse.csr_array((shares.astype(np.float32), (rows, columns)), shape=(count, size))


def label_map(masks: Sequence[np.ndarray], geometry: Geometry) -> np.ndarray:
    """Label map of the stored image from the lesion masks of its original image.

    A stored pixel belongs to a lesion that covers at least half of it. Where lesions overlap, the pixel
    belongs to the smaller one. A lesion that would get no pixel under these rules gets the pixel of
    which it covers most.

    Parameters
    ----------
    masks : sequence of (M, N) bool ndarray
        One per lesion, in the order of the table.
    geometry : Geometry
        Position of the stored image in the original.

    Returns
    -------
    (m, n) uint8 ndarray
        0 outside lesions, else the number of the lesion in the sequence, from 1.
    """
    labels = np.zeros(geometry.shape, dtype=np.uint8)
    cover = {label: _reduce(mask, geometry) for label, mask in enumerate(masks, start=1)}
    by_area = sorted(cover, key=lambda label: -np.count_nonzero(masks[label - 1]))
    for label in by_area:
        labels[_half(cover[label])] = label
    for label in by_area:
        if cover[label].any() and not (labels == label).any():
            labels[np.unravel_index(cover[label].argmax(), labels.shape)] = label
    return labels


def _half(cover: np.ndarray) -> np.ndarray:
    """Pixels of which a reduced mask covers at least half."""
    return cover if cover.dtype == bool else cover >= 0.5


def _reduce(image: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Crop, mirror and area-average an original image; the data type is kept if the factor is 1."""
    crop = image[geometry.y0 : geometry.y1, geometry.x0 : geometry.x1]
    crop = crop[:, ::-1] if geometry.mirrored else crop
    return np.ascontiguousarray(crop) if geometry.factor == 1 else shrink(crop, geometry.factor)


def factor_of(resolution: str | Mapping[str, float], spacing_mm: float | None) -> float:
    """Original pixels per stored pixel at a working resolution.

    Parameters
    ----------
    resolution : str or mapping
        ``"original"``, ``{"mm": 0.28}`` (mm per stored pixel) or ``{"factor": 4}``.
    spacing_mm : float or None
        Pixel spacing of the original; None or NaN where unknown.

    Raises
    ------
    Excluded
        ``spacing-unknown`` when the resolution is in mm and the spacing is unknown.
    ValueError
        When the resolution is none of the three, or not a positive number.

    Notes
    -----
    Images are never enlarged: an original coarser than the requested resolution keeps its pixels.
    """
    if resolution == "original":
        return 1.0
    if isinstance(resolution, Mapping) and len(resolution) == 1:
        ((unit, value),) = resolution.items()
        if unit == "factor" and 1 <= value < np.inf:
            return float(value)
        if unit == "mm" and 0 < value < np.inf:
            if spacing_mm is None or np.isnan(spacing_mm):
                raise Excluded("spacing-unknown", "give a factor, or 'original', instead of mm")
            return max(1.0, round(value / spacing_mm, 6))
    raise ValueError(
        "resolution: expected 'original', a mapping mm: (more than 0) or a mapping factor: (1 or more), "
        f"got {resolution!r}"
    )


def require_spacing(spacings_mm: pd.Series, resolution: str | Mapping[str, float], dataset: str) -> None:
    """Raise an error if the resolution is in mm but no image of a data set has a known spacing.

    Raises
    ------
    ValueError
        When the resolution is in mm and every spacing is unknown.
    """
    if "mm" in resolution and spacings_mm.isna().all():
        raise ValueError(
            f"datasets.{dataset}.resolution: expected 'original' or a factor, since none of the "
            f"{len(spacings_mm)} images has a known pixel spacing; got mm"
        )


def prepare(
    image_id: str,
    image: np.ndarray,
    region: Region,
    lesion_masks: Sequence[np.ndarray],
    laterality: str,
    resolution: str | Mapping[str, float],
    spacing_mm: float | None,
) -> StoredImage:
    """Crop an original image to its breast, mirror it if needed, and reduce it.

    Parameters
    ----------
    image_id : str
        Identifier within the study.
    image : (M, N) uint16 ndarray
        Grey values as `grey_values.decode` returns them.
    region : Region
        The result of `segmentation.breast_region`.
    lesion_masks : sequence of (M, N) bool ndarray
        One per lesion, in the order of ``lesions.csv``.
    laterality : {"L", "R", ""}
        The side stated in the release.
    resolution : str or mapping
        See `factor_of`.
    spacing_mm : float or None
        Pixel spacing; None or NaN where unknown.

    Raises
    ------
    Excluded
        When the region is not plausible, or the resolution needs a spacing that is unknown.

    Notes
    -----
    The masses are not used to find the breast. An image with a mass that lies mostly outside the breast
    region gets the flag ``lesion-outside-breast``; in the evaluation such a mass counts as missed.
    """
    if region.problem:
        raise region.problem
    factor = factor_of(resolution, spacing_mm)
    side = segmentation.chest_wall(region.mask, laterality)
    y0, x0, y1, x1 = bounding_box(region.mask)
    geometry = Geometry(*image.shape, y0, x0, y1, x1, mirrored=side == "right", factor=factor)
    pixels = _reduce(image, geometry)
    if pixels.dtype != np.uint16:
        pixels = np.rint(pixels).astype(np.uint16)
    flags = [] if expected_side(laterality) in ("", side) else [f"chest wall at the {side}"]
    if region.fallback:
        flags.append(FALLBACK)
    if any(np.count_nonzero(mask & region.mask) < np.count_nonzero(mask) / 2 for mask in lesion_masks):
        flags.append(LESION_OUTSIDE)
    return StoredImage(
        image_id=image_id,
        pixels=pixels,
        breast=_half(_reduce(region.mask, geometry)),
        lesions=label_map(lesion_masks, geometry),
        geometry=geometry,
        flags=";".join(flags),
        masses=len(lesion_masks),
    )
