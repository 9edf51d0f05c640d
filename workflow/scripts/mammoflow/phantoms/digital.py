"""Simulates the appearance of full-field digital mammograms as in INbreast."""

import numpy as np

from mammoflow.phantoms import anatomy, tissue

WHITE = 4095  # 12 bits stored


def expose(
    rng: np.random.Generator, breast: anatomy.Breast, view: anatomy.View, detector: anatomy.Detector
) -> np.ndarray:
    """Simulate a processed digital mammogram.

    The thin border of the breast is equalised, the contrast is nearly linear, the noise is white,
    and everything outside the skin line is exactly 0.

    Parameters
    ----------
    rng : numpy.random.Generator
        Random generator for this image.
    breast : anatomy.Breast
        The breast to image.
    view : anatomy.View
        One of its views.
    detector : anatomy.Detector
        Number and size of the pixels.

    Returns
    -------
    ndarray of uint16, shape (rows, columns)
        1 to 4095 in the breast, 0 elsewhere.
    """
    attenuation, thickness = tissue.attenuation(rng, breast, view, detector)
    equalised = attenuation / (0.35 + 0.65 * thickness) ** 0.8
    signal = tissue.to_detector(equalised, detector, breast.side)
    signal = 4300 * np.clip(signal - 0.05, 0, None)
    signal += rng.standard_normal(signal.shape, np.float32) * (14 + 0.7 * np.sqrt(np.clip(signal, 0, None)))
    image = np.clip(np.rint(signal), 1, WHITE).astype(np.uint16)
    image[~anatomy.breast_mask(view, breast.side, detector)] = 0
    return image
