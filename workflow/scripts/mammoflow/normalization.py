"""Grey values as the networks take them."""

import numpy as np

KINDS = ("gcn", "scale")

# A patch whose grey values deviate by less than this (in stored units, integers) is constant.
_FLOOR = 1e-3


def gcn(patches: np.ndarray) -> np.ndarray:
    """Global contrast normalisation: every patch gets mean 0 and standard deviation 1.

    Parameters
    ----------
    patches : (n, w, w) ndarray
        Patches of any numeric type.

    Returns
    -------
    (n, w, w) ndarray of float32
        A constant patch becomes zeros.

    References
    ----------
    Section 2.3: "zero mean"; the paper does not state the scale, the standard deviation is ours.

    Examples
    --------
    >>> gcn(np.array([[[1, 3], [1, 3]], [[7, 7], [7, 7]]])).tolist()
    [[[-1.0, 1.0], [-1.0, 1.0]], [[0.0, 0.0], [0.0, 0.0]]]
    """
    flat = patches.reshape(len(patches), -1).astype(np.float32)
    for _ in range(2):  # the second time takes off what rounding of a large mean has left
        flat -= flat.mean(axis=1, keepdims=True)
    deviation = np.sqrt(np.einsum("np,np->n", flat, flat, dtype=np.float64) / flat.shape[1])
    constant = deviation < _FLOOR
    flat *= np.where(constant, 0, 1 / np.where(constant, 1, deviation)).astype(np.float32)[:, None]
    return flat.reshape(patches.shape)


def scale(patches: np.ndarray, minimum: np.ndarray, maximum: np.ndarray) -> np.ndarray:
    """Grey values scaled to 0–255 by the range of the breast that a patch comes from.

    Parameters
    ----------
    patches : (n, w, w) ndarray
        Patches of any numeric type.
    minimum, maximum : (n,) ndarray
        Least and greatest grey value of the breast.

    Returns
    -------
    (n, w, w) ndarray of float32
        Between 0 and 255: pixels of the background may lie outside the breast's range, and are
        clipped. Zeros where the breast is constant.

    References
    ----------
    Section 3, the ablation of the preprocessing.
    """
    span = np.asarray(maximum, np.float32) - np.asarray(minimum, np.float32)
    factor = np.where(span > 0, 255 / np.where(span > 0, span, 1), 0).astype(np.float32)
    scaled = (patches - np.asarray(minimum, np.float32)[:, None, None]) * factor[:, None, None]
    return np.clip(scaled, 0, 255, dtype=np.float32)


def normalize(patches: np.ndarray, minimum: np.ndarray, maximum: np.ndarray, kind: str) -> np.ndarray:
    """Patches as the networks take them, by the config key ``normalization``.

    Parameters
    ----------
    patches : (n, w, w) ndarray
        Patches of any numeric type.
    minimum, maximum : (n,) ndarray
        Least and greatest grey value of the breast; only ``scale`` uses them.
    kind : {'gcn', 'scale'}
        Which normalisation.

    Returns
    -------
    (n, w, w) ndarray of float32

    Raises
    ------
    ValueError
        When `kind` is unknown.
    """
    if kind == "gcn":
        return gcn(patches)
    if kind == "scale":
        return scale(patches, minimum, maximum)
    raise ValueError(f"normalization: expected one of {', '.join(KINDS)}, got {kind!r}")
