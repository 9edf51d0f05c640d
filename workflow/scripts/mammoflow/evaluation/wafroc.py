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

from mammoflow.evaluation import changes, statistics
from mammoflow.evaluation.definitions import Definition
from mammoflow.evaluation.folds import Fold, rows_of
from mammoflow.evaluation.matching import Matches
from mammoflow.evaluation.statistics import Rated

MEASURES = ("wAFROC", "wAFROC1")


@dataclass(frozen=True)
class Ratings:
    """What the area is computed from, and how the images are spread over p patients.

    Attributes
    ----------
    lesions : Rated
        Rating of each lesion, minus infinity if it was missed; weight of the lesion within its image.
    false_positives : Rated
        Highest false positive of each image whose false positives count, minus infinity if it has none.
    counted, diseased : (p,) int arrays
        Images whose false positives count, and images with lesions.
    """

    lesions: Rated
    false_positives: Rated
    counted: np.ndarray
    diseased: np.ndarray

    @property
    def defined(self) -> bool:
        """Whether there are both images with false positives to count and images with lesions."""
        return bool(self.counted.any() and self.diseased.any())

    def area(self) -> float:
        """The area; defined only if there are images of both kinds."""
        return float(self.areas(np.ones((1, len(self.counted)), int))[0])

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
        images = (draws @ self.counted) * (draws @ self.diseased)
        total = statistics.pairs_in_order(self.lesions, self.false_positives, draws)
        return np.divide(total, images, out=np.full(len(draws), np.nan), where=images > 0)


def ratings_of(matches: Matches, fold: Fold, definition: Definition, measure: str = "wAFROC") -> Ratings:
    """Ratings of a fold, with equal weights for the lesions of an image.

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
    number = np.bincount(lesion_image, minlength=len(patient))
    counted = np.flatnonzero(number == 0) if measure == "wAFROC" else np.arange(len(patient))

    def images_of(images: np.ndarray) -> np.ndarray:
        return np.bincount(patient[images], minlength=patient.max() + 1)

    ratings = np.append(matches.thresholds, -np.inf)
    return Ratings(
        Rated(ratings[changes.first(matches.hit)], 1 / number[lesion_image], patient[lesion_image]),
        Rated(
            ratings[changes.first(matches.false_positives)[counted]],
            np.ones(len(counted)),
            patient[counted],
        ),
        images_of(counted),
        images_of(number > 0),
    )
