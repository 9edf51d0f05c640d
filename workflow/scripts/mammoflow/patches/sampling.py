"""Computes how many negative patches to draw from each image (equation 1)."""

from dataclasses import dataclass

import numpy as np

NEGATIVES = ("mass-images", "normal-images", "all-images")


def negatives_per_image(positives: int, images: int) -> int:
    """Negative windows to take from each image without masses: equation 1, rounded up.

    Parameters
    ----------
    positives : int
        Positive windows in this part of the fold.
    images : int
        Images without masses in this part, at least 1.

    Returns
    -------
    int

    Examples
    --------
    The training column of table 1: 2020 positives and 191 images give 11 each, 2101 in all.

    >>> negatives_per_image(2020, 191), 191 * negatives_per_image(2020, 191)
    (11, 2101)
    """
    return (positives + images - 1) // images


@dataclass(frozen=True)
class Supply:
    """Windows available in each image of a part, one entry per image.

    Parameters
    ----------
    positives : (k,) ndarray of int64
        Number of positive windows.
    negatives : (k,) ndarray of int64
        Number of negative windows allowed by the border rule.
    masses : (k,) ndarray of bool
        Whether the image has a mass, even if none of its windows is positive.
    """

    positives: np.ndarray
    negatives: np.ndarray
    masses: np.ndarray


def share(supply: Supply, policy: str, generator: np.random.Generator) -> tuple[np.ndarray, int]:
    """Number of negative windows to draw from each image so that the classes are balanced.

    Parameters
    ----------
    supply : Supply
        Windows available in the images of one part of a fold.
    policy : {'mass-images', 'normal-images', 'all-images'}
        ``mass-images`` (CBIS-DDSM): as many negatives as positives, drawn with equal probability from all
        windows of the images with masses. ``normal-images`` (INbreast): the number of equation 1 from
        every image without masses, or all of its windows if it has fewer. ``all-images``: as many negatives
        as positives, drawn with equal probability from all windows of all images.
    generator : numpy.random.Generator
        Not used for ``normal-images``.

    Returns
    -------
    counts : (k,) ndarray of int64
        Number of negatives to draw from each image.
    short : int
        Number of negatives missing from the total that the policy asks for.

    Raises
    ------
    ValueError
        When there are positives but no image to draw negatives from.

    References
    ----------
    Section 2.2, equation 1.
    """
    if policy not in NEGATIVES:
        raise ValueError(f"negatives: expected one of {', '.join(NEGATIVES)}, got {policy!r}")
    sources = {
        "mass-images": supply.masses,
        "normal-images": ~supply.masses,
        "all-images": np.ones_like(supply.masses),
    }[policy]
    offered = np.where(sources, supply.negatives, 0)
    positives = int(supply.positives.sum())
    if positives == 0:
        return np.zeros_like(offered), 0
    if not sources.any():
        raise ValueError(
            f"negatives: expected images to draw from under the policy '{policy}', "
            f"got none among {len(sources)} images"
        )
    if policy == "normal-images":
        each = negatives_per_image(positives, int(sources.sum()))
        wanted, counts = each * int(sources.sum()), np.minimum(offered, each)
    else:
        wanted, total = positives, min(positives, int(offered.sum()))
        counts = generator.multivariate_hypergeometric(offered, total, method="marginals")
    return counts, wanted - int(counts.sum())
