"""Boxes of a probability map, and the breast region of a DICOM file."""

from pathlib import Path

import numpy as np
import pandas as pd

from mammoflow.base.exclusions import Excluded
from mammoflow.breasts import segmentation
from mammoflow.breasts.geometry import Geometry
from mammoflow.detection import components
from mammoflow.dicom import grey_values


def boxes_of_map(probabilities: np.ndarray, levels: int = 1000) -> pd.DataFrame:
    """Boxes of the connected components of a probability map at all thresholds.

    Parameters
    ----------
    probabilities : (M, N) float ndarray
        Between 0 and 1.
    levels : int, optional
        Thresholds 0, 1 / levels, 2 / levels, ...; the pixels of a component are above its threshold. This is
        exact for a map of type float32; a double that equals a threshold may count as above it, but not with
        the default.

    Returns
    -------
    pandas.DataFrame
        A row for each box and threshold at which it exists: threshold, y0, x0, y1, x1 (half-open, pixels of
        the map) and score, the highest probability in the component.

    Raises
    ------
    ValueError
        For an array that is empty or not of two dimensions, a value outside 0 to 1, or too many levels.

    References
    ----------
    Agarwal et al. 2019, section 2.5.
    """
    probabilities = np.asarray(probabilities)
    if probabilities.ndim != 2 or not probabilities.size:
        raise ValueError(f"probabilities: expected rows and columns, got shape {probabilities.shape}")
    rows, columns = probabilities.shape
    whole = Geometry(rows, columns, 0, 0, rows, columns, False, 1.0)
    found = components.find(components.quantise(probabilities, levels))
    return components.rows(found, levels, "", whole).drop(columns="image_id")


def breast_region(path: str | Path, acquisition: str = "digital") -> np.ndarray:
    """Breast region of a mammogram.

    Parameters
    ----------
    path : str or Path
        DICOM file of one mammogram.
    acquisition : {"digital", "film"}
        Full-field digital mammography, or digitised film with labels and frames.

    Returns
    -------
    (M, N) bool ndarray
        In pixels of the image.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        When the file is not a mammogram that can be read, or no plausible breast is found.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: expected a DICOM file, got {'a folder' if path.exists() else 'none'}"
        )
    try:
        region = segmentation.breast_region(grey_values.decode(path), acquisition)
    except Excluded as error:
        raise ValueError(f"{path}: {error.detail}") from None
    if region.problem is not None:
        raise ValueError(f"{path}: {region.problem.detail}")
    return region.mask
