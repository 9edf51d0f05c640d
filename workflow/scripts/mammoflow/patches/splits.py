"""Divides patients into folds: by the official split, or by stratified cross-validation."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from mammoflow.base import seeds
from mammoflow.patches import leakage
from mammoflow.patches.leakage import ROLES

# Weights of the quantities to balance, since complete patients cannot be divided evenly in every respect.
IMPORTANCE = {"mass_images": 3, "images": 3, "mass_patients": 1, "patients": 1, "lesions": 1}


def official(
    images: pd.DataFrame, lesions: pd.DataFrame, validation_fraction: float | None, seed: int
) -> pd.DataFrame:
    """Fold 0 from the official split, with validation patients taken from its training set if it has none.

    Training and validation each get their share of patients, images and lesions. Images of a patient who
    is also in the test set, or who shares a film with such a patient, are dropped from training and
    validation; likewise those of a validation patient from training.

    Parameters
    ----------
    images : pandas.DataFrame
        The result of `leakage.stored_images`; every image must have an official split.
    lesions : pandas.DataFrame
        Table of the index.
    validation_fraction : float or None
        Fraction of the training set used for validation, between 0 and 1; not used where the official split
        has a validation set.
    seed : int
        The study's seed.

    Returns
    -------
    pandas.DataFrame
        A 'splits' table: image_id, patient_id, fold, role.

    Raises
    ------
    ValueError
        When an image has no official split, or a role gets no image.
    """
    unknown = images.loc[~images["official_split"].isin(ROLES), "image_id"]
    if len(unknown):
        raise ValueError(
            f"image '{unknown.iloc[0]}': expected an official split train, validation or test, got none "
            f"({len(unknown)} images have none); use a number of folds instead"
        )
    images = images.assign(person=_people(images))
    strictest = images["official_split"].map(ROLES.index).groupby(images["person"]).max()
    roles = strictest.map(dict(enumerate(ROLES))).to_dict()
    dropped = images["official_split"] != images["person"].map(roles)
    if "validation" not in roles.values():
        roles |= _validating(images, lesions, roles, validation_fraction, seed)
    return _table(images[~dropped], [roles])


def _validating(
    images: pd.DataFrame,
    lesions: pd.DataFrame,
    roles: Mapping[str, str],
    validation_fraction: float | None,
    seed: int,
) -> dict[str, str]:
    """Roles of the persons of the training set, some of whom validate."""
    if validation_fraction is None or not 0 < validation_fraction < 1:
        raise ValueError(
            f"validation_fraction: expected between 0 and 1, got {validation_fraction}; the official split "
            "has no validation images, so a part of its training images validates"
        )
    quantities = _quantities(images, lesions)
    train = [person for person in quantities.index if roles[person] == "train"]
    shares = [1 - validation_fraction, validation_fraction]
    generator = seeds.generator(seed, "splits", "official")
    part = _divide(quantities.loc[train, ["patients", "images", "lesions"]], shares, generator)
    return {person: ROLES[number] for person, number in part.items()}


def k_fold(images: pd.DataFrame, lesions: pd.DataFrame, folds: int, seed: int) -> pd.DataFrame:
    """Cross-validation by patient, stratified by images with and without masses.

    Fold k tests on part k, validates on part k + 1 (part 0 after the last) and trains on the rest.
    Parts have equal numbers of patients with masses, patients, images with masses and images, as far as
    possible without dividing a patient.

    Parameters
    ----------
    images : pandas.DataFrame
        The result of `leakage.stored_images`.
    lesions : pandas.DataFrame
        Table of the index.
    folds : int
        At least 3.
    seed : int
        The study's seed.

    Returns
    -------
    pandas.DataFrame
        A 'splits' table: image_id, patient_id, fold, role.

    Raises
    ------
    ValueError
        When there are fewer than 3 folds, or fewer patients than folds.
    """
    images = images.assign(person=_people(images))
    quantities = _quantities(images, lesions)
    if not 3 <= folds <= len(quantities):
        raise ValueError(f"folds: expected 3 to {len(quantities)} (the number of patients), got {folds}")
    balanced = quantities[["mass_patients", "patients", "mass_images", "images"]]
    part = _divide(balanced, [1 / folds] * folds, seeds.generator(seed, "splits", folds))
    roles = [
        {
            person: {0: "test", 1: "validation"}.get((number - fold) % folds, "train")
            for person, number in part.items()
        }
        for fold in range(folds)
    ]
    return _table(images, roles)


def given(
    table: pd.DataFrame, images: pd.DataFrame, stored: pd.DataFrame, folds: Sequence[int], origin: str
) -> pd.DataFrame:
    """Splits supplied by the user, without the images that could not be stored.

    Parameters
    ----------
    table : pandas.DataFrame
        A 'splits' table.
    images : pandas.DataFrame
        Table of the index.
    stored : pandas.DataFrame
        The result of `leakage.stored_images`.
    folds : sequence of int
        Folds requested in the config.
    origin : str
        Source of the table, for the message.

    Raises
    ------
    ValueError
        When the table has other folds, contains an image that is not in the index, or leaks.
    """
    if sorted(set(table["fold"])) != list(folds):
        listed = ", ".join(map(str, sorted(set(table["fold"])))) or "none"
        raise ValueError(f"{origin}: expected the folds {', '.join(map(str, folds))}, got {listed}")
    unusable = images.loc[~images["image_id"].isin(stored["image_id"]), "image_id"]
    table = table[~table["image_id"].isin(unusable)]
    leakage.check(table, origin)
    leakage.check_stored(table, stored, origin)
    return table


def require_normal_images(splits: pd.DataFrame, lesions: pd.DataFrame, dataset: str) -> None:
    """Refuse a split in which negatives cannot be drawn from normal images.

    Parameters
    ----------
    splits : pandas.DataFrame
        A 'splits' table.
    lesions : pandas.DataFrame
        Table of the index.
    dataset : str
        Name of the data set in the config.

    Raises
    ------
    ValueError
        When a part of a fold has masses and no normal image.
    """
    normal = ~splits["image_id"].isin(lesions["image_id"])
    parts = normal.groupby([splits["fold"], splits["role"]]).agg(["sum", "size"])
    for (fold, role), (found, images) in parts.iterrows():
        if not found:
            raise ValueError(
                f"config key 'datasets.{dataset}.negatives': expected normal images in every part of every "
                f"fold, since 'normal-images' draws negatives from them; got none among the {images} images "
                f"of the {role} part of fold {fold} ({normal[splits['fold'] == fold].sum()} in the whole "
                "fold). Choose 'mass-images', or fewer folds"
            )


def _people(images: pd.DataFrame) -> list[str]:
    """Person shown on each image: patients who share a film count as one person, named after one of them."""
    patient, names = pd.factorize(images["patient_id"], sort=True)
    film, films = pd.factorize(images["pixels_sha256"])
    nodes = len(names) + len(films)
    edges = sparse.coo_array((np.ones(len(images)), (patient, len(names) + film)), shape=(nodes, nodes))
    _, person = connected_components(edges, directed=False)
    _, first = np.unique(person[: len(names)], return_index=True)
    return names[first[person[patient]]].tolist()


def _quantities(images: pd.DataFrame, lesions: pd.DataFrame) -> pd.DataFrame:
    """Numbers of images, lesions and so on of each person."""
    count = images["image_id"].map(lesions["image_id"].value_counts()).fillna(0)
    table = pd.DataFrame(
        {"images": 1, "mass_images": count > 0, "lesions": count, "person": images["person"]}
    )
    table = table.groupby("person", sort=True).sum().astype(int)
    return table.assign(patients=1, mass_patients=(table["mass_images"] > 0).astype(int))


def _divide(
    quantities: pd.DataFrame, shares: Sequence[float], generator: np.random.Generator
) -> dict[str, int]:
    """Assign each patient to a part so that every part gets close to its share of every quantity.

    Patients with the largest quantities are assigned first, in random order among equals, each to the part
    that gets closest to its shares. Then patients are moved, or swapped between two parts, as long as
    that improves the result.
    """
    amounts = quantities.to_numpy(dtype=np.float64)
    importance = np.array([IMPORTANCE[quantity] for quantity in quantities])
    weights = importance * amounts / np.maximum(amounts.sum(axis=0), 1)
    targets = np.outer(shares, weights.sum(axis=0))
    order = np.lexsort([generator.random(len(weights)), *(-weights[:, ::-1].T)])
    filled, parts = np.zeros_like(targets), np.zeros(len(weights), dtype=int)
    for patient in order:
        missing = targets - filled
        worse = ((missing - weights[patient]) ** 2 - missing**2).sum(axis=1)
        parts[patient] = worse.argmin()
        filled[parts[patient]] += weights[patient]
    _polish(parts, weights, filled - targets)
    return dict(zip(quantities.index, parts.tolist(), strict=True))


def _polish(parts: np.ndarray, weights: np.ndarray, excess: np.ndarray) -> None:
    """Move patients, or swap pairs of them, between parts while that lowers the squared excess."""
    improved = True
    while improved:
        improved = False
        for a, b in combinations(range(len(excess)), 2):
            while (step := _best_step(parts, weights, excess[a], excess[b], a, b)) is not None:
                leaving, entering, moved = step
                parts[leaving], parts[entering] = b, a
                excess[a] -= moved
                excess[b] += moved
                improved = True


def _best_step(
    parts: np.ndarray, weights: np.ndarray, excess_a: np.ndarray, excess_b: np.ndarray, a: int, b: int
) -> tuple[list[int], list[int], np.ndarray] | None:
    """The swap or move of one patient between two parts that lowers their squared excess most."""
    members_a, members_b = np.flatnonzero(parts == a), np.flatnonzero(parts == b)
    # Row and column 0 mean that no patient moves.
    out = np.vstack([np.zeros(weights.shape[1]), weights[members_a]])
    back = np.vstack([np.zeros(weights.shape[1]), weights[members_b]])
    moved = out[:, None] - back[None]
    change = ((excess_a - moved) ** 2 + (excess_b + moved) ** 2).sum(axis=2)
    best = np.unravel_index(change.argmin(), change.shape)
    before = (excess_a**2 + excess_b**2).sum()
    if change[best] >= before * (1 - 1e-9) - 1e-15:
        return None
    leaving = [] if best[0] == 0 else [members_a[best[0] - 1]]
    entering = [] if best[1] == 0 else [members_b[best[1] - 1]]
    return leaving, entering, moved[best]


def _table(images: pd.DataFrame, roles: Sequence[Mapping[str, str]]) -> pd.DataFrame:
    """Checked splits table in long form, with one fold per mapping of persons to roles."""
    frames = [
        images[["image_id", "patient_id"]].assign(fold=fold, role=images["person"].map(role))
        for fold, role in enumerate(roles)
    ]
    splits = pd.concat(frames, ignore_index=True)
    leakage.check(splits)
    leakage.check_stored(splits, images)
    return splits
