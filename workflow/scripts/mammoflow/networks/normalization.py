"""Normalises the grey values of patches for the networks, with TensorFlow operations for any device."""

import numpy as np
import tensorflow as tf

from mammoflow.patches.local_contrast import STEPS, ZERO

KINDS = ("gcn", "scale", "local")

# A patch counts as constant if the standard deviation of its grey values (integers) is below this.
FLOOR = 1e-3


def gcn(patches: np.ndarray | tf.Tensor) -> tf.Tensor:
    """Global contrast normalisation: every patch gets mean 0 and standard deviation 1.

    Parameters
    ----------
    patches : (n, w, w) array or tensor
        Patches of any numeric type.

    Returns
    -------
    (n, w, w) tensor of float32
        A constant patch becomes zeros.

    References
    ----------
    Section 2.3: "zero mean"; the paper does not state the scale, division by the standard deviation is ours.

    Examples
    --------
    >>> gcn(np.array([[[1, 3], [1, 3]], [[7, 7], [7, 7]]])).numpy().tolist()
    [[[-1.0, 1.0], [-1.0, 1.0]], [[0.0, 0.0], [0.0, 0.0]]]
    """
    patches = tf.cast(patches, tf.float32)
    for _ in range(2):  # the second pass removes the rounding error of a large mean
        patches -= _mean(patches)
    deviation = tf.sqrt(_mean(patches * patches))
    constant = deviation < FLOOR
    return patches * tf.where(constant, 0.0, 1 / tf.where(constant, 1.0, deviation))


def _mean(patches: tf.Tensor) -> tf.Tensor:
    """Mean of each patch; rows are summed first, which processors vectorise."""
    columns = tf.reduce_mean(patches, axis=1, keepdims=True)
    return tf.reduce_mean(columns, axis=2, keepdims=True)


def scale(
    patches: np.ndarray | tf.Tensor, minimum: np.ndarray | tf.Tensor, maximum: np.ndarray | tf.Tensor
) -> tf.Tensor:
    """Scale grey values to 0–255 by the range of the breast that a patch comes from.

    Parameters
    ----------
    patches : (n, w, w) array or tensor
        Patches of any numeric type.
    minimum, maximum : (n,) array or tensor
        Least and greatest grey value of the breast.

    Returns
    -------
    (n, w, w) tensor of float32
        Between 0 and 255; background pixels outside the breast's range are clipped. Zeros if the breast
        is constant.

    References
    ----------
    Section 3, ablation of the preprocessing.
    """
    minimum, maximum = (tf.cast(bound, tf.float32)[:, None, None] for bound in (minimum, maximum))
    span = maximum - minimum
    factor = tf.where(span > 0, 255 / tf.where(span > 0, span, 1.0), 0.0)
    return tf.clip_by_value((tf.cast(patches, tf.float32) - minimum) * factor, 0, 255)


def local(patches: np.ndarray | tf.Tensor) -> tf.Tensor:
    """Standard deviations from the local mean, of patches cut from images of `local_contrast`.

    Parameters
    ----------
    patches : (n, w, w) array or tensor
        Patches of any numeric type; contrasts as `local_contrast.normalized` stores them.

    Returns
    -------
    (n, w, w) tensor of float32
    """
    return (tf.cast(patches, tf.float32) - ZERO) * (1 / STEPS)


def normalize(
    patches: np.ndarray | tf.Tensor,
    minimum: np.ndarray | tf.Tensor,
    maximum: np.ndarray | tf.Tensor,
    kind: str,
) -> tf.Tensor:
    """Normalise patches as selected by the config key ``normalization``.

    Parameters
    ----------
    patches : (n, w, w) array or tensor
        Patches of any numeric type.
    minimum, maximum : (n,) array or tensor
        Least and greatest grey value of the breast; only ``scale`` uses them.
    kind : {'gcn', 'scale', 'local'}
        Name of the normalisation.

    Returns
    -------
    (n, w, w) tensor of float32

    Raises
    ------
    ValueError
        When `kind` is unknown.
    """
    check(kind)
    match kind:
        case "gcn":
            return gcn(patches)
        case "scale":
            return scale(patches, minimum, maximum)
    return local(patches)


def check(kind: str) -> None:
    """Check the name of a normalisation.

    Raises
    ------
    ValueError
        When `kind` is unknown.
    """
    if kind not in KINDS:
        raise ValueError(f"normalization: expected one of {', '.join(KINDS)}, got {kind!r}")
