"""Checks that no patient and no film has more than one role in a fold, and that banks keep to the roles."""

from collections.abc import Iterable, Mapping

import pandas as pd

ROLES = ("train", "validation", "test")


def check(splits: pd.DataFrame, origin: str = "splits") -> None:
    """Check that in every fold each role has images, and each patient and each image has only one role.

    Parameters
    ----------
    splits : pandas.DataFrame
        A 'splits' table: image_id, patient_id, fold, role.
    origin : str
        Source of the table, for the message.

    Raises
    ------
    ValueError
        When the check fails; the message names the fold, the patient and the images concerned.
    """
    if splits.empty:
        raise ValueError(f"{origin}: expected a row for each image and fold, got none")
    unknown = splits[~splits["role"].isin(ROLES)]
    if len(unknown):
        row = unknown.iloc[0]
        raise ValueError(
            f"{origin}: image '{row['image_id']}' of fold {row['fold']}: expected a role of "
            f"{', '.join(ROLES)}, got '{row['role']}'"
        )
    if clash := _clash(splits, "patient_id"):
        fold, patient, sides = clash
        raise ValueError(f"{origin}: patient '{patient}' of fold {fold}: expected one role, got {sides}")
    twice = splits[splits.duplicated(["fold", "image_id"])]
    if len(twice):
        fold, image = twice[["fold", "image_id"]].iloc[0]
        rows = splits[(splits["fold"] == fold) & (splits["image_id"] == image)]
        sides = _joined("patient", rows["patient_id"], rows["role"])
        raise ValueError(f"{origin}: image '{image}' of fold {fold}: expected one row, got {sides}")
    for fold, rows in splits.groupby("fold"):
        lacking = [role for role in ROLES if role not in set(rows["role"])]
        if lacking:
            raise ValueError(
                f"{origin}: fold {fold}: expected images for {', '.join(ROLES)}, "
                f"got none for {' and '.join(lacking)}"
            )


def stored_images(images: pd.DataFrame, stored: pd.DataFrame) -> pd.DataFrame:
    """Rows of the index for images that were stored and can be divided into folds.

    Parameters
    ----------
    images : pandas.DataFrame
        Table ``images`` of the index.
    stored : pandas.DataFrame
        Table ``stored`` of all shards.

    Returns
    -------
    pandas.DataFrame
        Rows of the index for stored images, with the additional column pixels_sha256: two images with
        the same digest show the same film.
    """
    kept = stored.loc[stored["stored"], ["image_id", "pixels_sha256"]]
    return images.merge(kept, on="image_id", validate="one_to_one")


def check_stored(splits: pd.DataFrame, stored: pd.DataFrame, origin: str = "splits") -> None:
    """Check that a table lists only stored images with the right patients, and no film in two roles.

    Parameters
    ----------
    splits : pandas.DataFrame
        A 'splits' table that passes `check`.
    stored : pandas.DataFrame
        The result of `stored_images`.
    origin : str
        Source of the table, for the message.

    Raises
    ------
    ValueError
        When the check fails; the message names the image, or both images of a film.
    """
    known = stored.set_index("image_id")
    missing = [image_id for image_id in splits["image_id"].unique() if image_id not in known.index]
    if missing:
        raise ValueError(
            f"{origin}: image '{missing[0]}': expected an image that the images stage stored, got a name "
            f"that it did not ({len(missing)} such)"
        )
    patients = splits["image_id"].map(known["patient_id"])
    wrong = splits["patient_id"] != patients
    if wrong.any():
        image, got = splits.loc[wrong, ["image_id", "patient_id"]].iloc[0]
        patient = patients[wrong].iloc[0]
        raise ValueError(f"{origin}: image '{image}': expected its patient '{patient}', got '{got}'")
    if clash := _clash(splits.assign(film=splits["image_id"].map(known["pixels_sha256"])), "film"):
        fold, _, sides = clash
        raise ValueError(
            f"{origin}: a film of fold {fold}: expected one role, got the same pixels in {sides}"
        )


def _clash(splits: pd.DataFrame, unit: str) -> tuple[int, str, str] | None:
    """The first fold and unit with images in more than one role, and such images in words."""
    roles = splits.groupby(["fold", unit], sort=False)["role"].nunique()
    if not (roles > 1).any():
        return None
    fold, name = roles.index[roles > 1][0]
    first = splits[(splits["fold"] == fold) & (splits[unit] == name)].drop_duplicates("role")
    return fold, name, _joined("image", first["image_id"], first["role"])


def fold_of(splits: pd.DataFrame, number: int, stored: pd.DataFrame, origin: str) -> pd.DataFrame:
    """Rows of one fold of a table, after checking the complete table.

    Parameters
    ----------
    splits : pandas.DataFrame
        A 'splits' table.
    number : int
        The fold.
    stored : pandas.DataFrame
        The result of `stored_images`.
    origin : str
        Source of the table, for the message.

    Raises
    ------
    ValueError
        As for `check` and `check_stored`; also when the table does not contain the fold.
    """
    folds = folds_of(splits, stored, origin)
    if number not in folds:
        raise ValueError(
            f"{origin}: expected rows of fold {number}, got rows of fold {', '.join(map(str, folds))}"
        )
    return folds[number]


def folds_of(splits: pd.DataFrame, stored: pd.DataFrame, origin: str) -> dict[int, pd.DataFrame]:
    """Rows of each fold of a table, by its number, after checking the complete table; see `fold_of`."""
    check(splits, origin)
    check_stored(splits, stored, origin)
    return {int(number): rows for number, rows in splits.groupby("fold")}


def check_parts(
    splits: pd.DataFrame, number: int, parts: Mapping[str, Iterable[str]], origin: str = "bank"
) -> None:
    """Check that patches lie in the part of a bank that is named like the role of their image.

    Parameters
    ----------
    splits : pandas.DataFrame
        A 'splits' table.
    number : int
        The fold.
    parts : mapping of str to iterable of str
        Image ids of the patches in each part; they may repeat.
    origin : str
        Source of the patches, for the message.

    Raises
    ------
    ValueError
        When an image has another role in this fold, or none; the message names the image.
    """
    role = splits[splits["fold"] == number].set_index("image_id")["role"]
    for part, image_ids in parts.items():
        for image_id in sorted(set(image_ids)):
            if role.get(image_id) != part:
                raise ValueError(
                    f"{origin}: image '{image_id}' of fold {number}: expected only images of the role {part} "
                    f"in the part {part}, got one of the role {role.get(image_id, 'none')}"
                )


def _joined(what: str, names: pd.Series, roles: pd.Series) -> str:
    return " and ".join(f"{role} ({what} '{name}')" for name, role in zip(names, roles, strict=True))
