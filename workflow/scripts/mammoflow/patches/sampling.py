"""How many negative patches each image gives (equation 1)."""

from dataclasses import dataclass

import numpy as np

NEGATIVES = ("mass-images", "normal-images")


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
    """What every image of a part has to offer, one entry per image.

    Parameters
    ----------
    positives : (k,) ndarray of int64
        Positive windows.
    negatives : (k,) ndarray of int64
        Negative windows that the border rule leaves.
    masses : (k,) ndarray of bool
        Whether the image has a mass, be its windows positive or not.
    """

    positives: np.ndarray
    negatives: np.ndarray
    masses: np.ndarray


def share(supply: Supply, policy: str, generator: np.random.Generator) -> tuple[np.ndarray, int]:
    """How many negative windows every image gives, so that both classes are balanced.

    Parameters
    ----------
    supply : Supply
        What the images of one part of a fold offer.
    policy : {'mass-images', 'normal-images'}
        ``mass-images`` (CBIS-DDSM): as many negatives as positives, every window of the mass images
        being equally likely to be taken. ``normal-images`` (INbreast): equation 1 from every image
        without masses, or all of its windows when it has fewer.
    generator : numpy.random.Generator
        Draws for ``mass-images``.

    Returns
    -------
    counts : (k,) ndarray of int64
        Negatives to take from each image.
    short : int
        How many fewer these are than the policy asks for.

    Raises
    ------
    ValueError
        When there are positives to balance but no image to take negatives from.

    References
    ----------
    Section 2.2, equation 1.
    """
    if policy not in NEGATIVES:
        raise ValueError(f"negatives: expected one of {', '.join(NEGATIVES)}, got {policy!r}")
    sources = supply.masses if policy == "mass-images" else ~supply.masses
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
