"""Cross-validation that keeps patients apart."""

import operator

import pandas as pd

from mammoflow.library.columns import numbers, require
from mammoflow.patches import splits


def split_patients(images: pd.DataFrame, folds: int = 5, seed: int = 0) -> pd.DataFrame:
    """Folds by patient, balanced in patients and images with and without masses.

    Fold k tests on part k, validates on part k + 1 and trains on the rest.

    Parameters
    ----------
    images : pandas.DataFrame
        Columns image_id, patient_id, and optionally masses, the number of masses in the image.
    folds : int, optional
        At least 3.
    seed : int, optional
        The same seed gives the same folds.

    Returns
    -------
    pandas.DataFrame
        image_id and patient_id as passed, fold and role: train, validation or test.

    Raises
    ------
    ValueError
        For a missing column or an empty cell, an image that is listed twice, numbers of masses that are not
        whole, fewer than 3 folds, or fewer patients than folds.
    TypeError
        When the number of folds is not whole.
    """
    require(images, "images", ["image_id", "patient_id"])
    if images["image_id"].duplicated().any():
        raise ValueError("images: expected every image once, got some of them more often")
    if "masses" not in images:
        images = images.assign(masses=0)
    masses = numbers(images, "images", ["masses"])["masses"]
    wrong = masses[(masses < 0) | (masses % 1 != 0)]
    if len(wrong):
        raise ValueError(f"images: expected a whole number of masses, at least 0, got {wrong.iloc[0]:g}")
    # No two images are known to be one film.
    table = images[["image_id", "patient_id"]].assign(pixels_sha256=images["image_id"], official_split="")
    lesions = pd.DataFrame({"image_id": table["image_id"].repeat(masses.astype(int))})
    return splits.k_fold(table, lesions, operator.index(folds), seed)
