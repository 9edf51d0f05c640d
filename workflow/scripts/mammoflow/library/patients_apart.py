"""Cross-validation that keeps patients apart."""

import pandas as pd

from mammoflow.patches import splits


def split_patients(images: pd.DataFrame, folds: int = 5, seed: int = 0) -> pd.DataFrame:
    """Folds by patient, balanced in patients and images with and without masses.

    Fold k tests on part k, validates on part k + 1 and trains on the rest.

    Parameters
    ----------
    images : pandas.DataFrame
        Columns image_id, patient_id, and optionally masses, their number in the image.
    folds : int, optional
        At least 3.
    seed : int, optional
        The same seed gives the same folds.

    Returns
    -------
    pandas.DataFrame
        image_id, patient_id, fold and role: train, validation or test.

    Raises
    ------
    ValueError
        For a missing column, fewer than 3 folds, or fewer patients than folds.
    """
    missing = [name for name in ("image_id", "patient_id") if name not in images]
    if missing:
        raise ValueError(f"images: expected columns image_id and patient_id; {', '.join(missing)} missing")
    table = images[["image_id", "patient_id"]].astype(str)
    # No two images are known to be one film.
    table = table.assign(pixels_sha256=table["image_id"], official_split="")
    masses = images["masses"].to_numpy() if "masses" in images else [0] * len(images)
    lesions = pd.DataFrame({"image_id": table["image_id"].repeat(masses)})
    return splits.k_fold(table, lesions, folds, seed)
