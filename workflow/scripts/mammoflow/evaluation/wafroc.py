"""Computes the area under the weighted alternative FROC curve (wAFROC), which summarises a complete curve.

The curve plots the fraction of detected lesions, weighted so that the weights of each image add up to one,
against the fraction of images with any false positive. Therefore every image has the same weight, regardless
of its number of lesions or false positives. The area is the probability that a lesion has a higher rating
than the highest false positive of an image; ties count half, and unmarked lesions or images have a rating of
minus infinity.

``wAFROC`` uses false positives of normal images, ``wAFROC1`` those of all images; the latter is needed for
data without normal images, such as CBIS-DDSM.

References
----------
.. [1] Chakraborty, "Observer Performance Methods for Diagnostic Imaging", CRC Press 2017.
.. [2] Chakraborty and Zhai, "On the meaning of the weighted alternative free-response operating
   characteristic figure of merit", Med. Phys. 43(5), 2548-2557 (2016).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mammoflow.evaluation.definitions import Definition
from mammoflow.evaluation.folds import Fold, rows_of
from mammoflow.evaluation.matching import Matches

MEASURES = ("wAFROC", "wAFROC1")


def psi(false_positive: np.ndarray, lesion: np.ndarray) -> np.ndarray:
    """1 if the lesion has the higher rating, 0.5 if both ratings are equal, else 0."""
    return (lesion > false_positive) + 0.5 * (lesion == false_positive)


def kernel(
    false_positives: np.ndarray, lesions: np.ndarray, weights: np.ndarray, image: np.ndarray, images: int
) -> np.ndarray:
    """Contribution of each pair of a false-positive rating and an image with lesions, (n, images) float.

    Parameters
    ----------
    false_positives : (n,) float array
        Highest false positive of each image whose false positives count; minus infinity if it has none.
    lesions, weights : (m,) float arrays
        Rating of each lesion, minus infinity if it was missed; weight of the lesion within its image.
    image : (m,) int array
        Index of the image of each lesion, below ``images``.
    images : int
        Number of images with lesions.

    Examples
    --------
    >>> found, missed = 0.8, -np.inf
    >>> kernel(np.array([0.5]), np.array([found, missed]), np.full(2, 0.5), np.zeros(2, int), 1)
    array([[0.5]])
    """
    total = np.zeros((len(false_positives), images))
    np.add.at(total, (slice(None), image), weights * psi(false_positives[:, None], lesions))
    return total


@dataclass(frozen=True)
class Kernel:
    """Sums over the images of p patients, from which the area and its bootstrap are computed.

    Attributes
    ----------
    pairs : (p, p) float array
        Sum over the false positives of the first patient and the lesions of the second.
    counted, diseased : (p,) int arrays
        Images whose false positives count, and images with lesions.
    """

    pairs: np.ndarray
    counted: np.ndarray
    diseased: np.ndarray

    @property
    def defined(self) -> bool:
        """Whether there are both images with false positives to count and images with lesions."""
        return bool(self.counted.any() and self.diseased.any())

    def area(self) -> float:
        """The area; defined only if there are images of both kinds."""
        return float(self.pairs.sum() / (self.counted.sum() * self.diseased.sum()))

    def areas(self, draws: np.ndarray) -> np.ndarray:
        """The area in each bootstrap draw of patients.

        Parameters
        ----------
        draws : (samples, p) int array
            See `resampling.draws`.

        Returns
        -------
        (samples,) float array
            NaN for a draw without images of one kind.
        """
        draws = draws.astype(float)
        images = (draws @ self.counted) * (draws @ self.diseased)
        total = ((draws @ self.pairs) * draws).sum(axis=1)
        return np.divide(total, images, out=np.full(len(draws), np.nan), where=images > 0)


def by_patient(matches: Matches, fold: Fold, definition: Definition, measure: str = "wAFROC") -> Kernel:
    """Kernel of a fold, with equal weights for the lesions of an image.

    Parameters
    ----------
    matches : Matches
        Matches of boxes of mode ``candidate``: the rating of a lesion is the highest threshold at which it
        is hit.
    fold : Fold
        Provides patients, images and lesions.
    definition : Definition
        States whether lesions are merged.
    measure : {"wAFROC", "wAFROC1"}
        See the docstring of the module.
    """
    lesions = fold.annotated(definition.lesions)
    lesion_image = rows_of(lesions["image_id"], fold.images["image_id"], "lesions")
    patient = pd.factorize(fold.images["patient_id"])[0]
    patients = int(patient.max()) + 1
    diseased, image, number = np.unique(lesion_image, return_inverse=True, return_counts=True)
    counted = np.arange(len(patient))
    if measure == "wAFROC":
        counted = np.setdiff1d(counted, diseased)
    values = kernel(
        _highest(matches.thresholds, matches.false_positives[:, counted] > 0),
        _highest(matches.thresholds, matches.hit),
        1 / number[image],
        image,
        len(diseased),
    )
    pairs = np.zeros((patients, patients))
    np.add.at(pairs, (patient[counted][:, None], patient[diseased][None]), values)
    return Kernel(
        pairs,
        np.bincount(patient[counted], minlength=patients),
        np.bincount(patient[diseased], minlength=patients),
    )


def _highest(thresholds: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Highest threshold at which each column is true, (columns,) float; minus infinity if it never is."""
    padded = np.concatenate([there, np.ones((1, there.shape[1]), bool)])
    return np.append(thresholds, -np.inf)[padded.argmax(axis=0)]
