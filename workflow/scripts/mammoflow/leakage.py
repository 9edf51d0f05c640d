"""Whether a splits table keeps patients apart, be it this project's or a user's own."""

from collections.abc import Container, Mapping

import pandas as pd

ROLES = ("train", "validation", "test")


def check(splits: pd.DataFrame, origin: str = "splits") -> None:
    """Require that every fold has images of every role, and a patient and an image one role in it.

    Parameters
    ----------
    splits : pandas.DataFrame
        A 'splits' table: image_id, patient_id, fold, role.
    origin : str
        Where it comes from, for the message.

    Raises
    ------
    ValueError
        One sentence that names the fold, and the patient and images on both sides.
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
    for (fold, patient), rows in splits.groupby(["fold", "patient_id"], sort=False):
        first = rows.drop_duplicates("role")
        if len(first) > 1:
            sides = _joined("image", first["image_id"], first["role"])
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
                f"{origin}: fold {fold}: expected images to {', '.join(ROLES)}, "
                f"got none to {' and '.join(lacking)}"
            )


def fold_of(
    splits: pd.DataFrame, number: int, image_ids: Container[str], patients: Mapping[str, str], origin: str
) -> pd.DataFrame:
    """Rows of one fold of a table that is checked as a whole.

    Parameters
    ----------
    splits : pandas.DataFrame
        A 'splits' table.
    number : int
        The fold.
    image_ids : container of str
        Images that are stored.
    patients : mapping of str to str
        Patient of every image, as the index has it: a table of a user's own may not rename them.
    origin : str
        Where the table comes from, for the message.

    Raises
    ------
    ValueError
        As `check`; also when the table lacks the fold, lists an image that is not stored, or gives an
        image to another patient.
    """
    check(splits, origin)
    missing = [image_id for image_id in splits["image_id"].unique() if image_id not in image_ids]
    if missing:
        raise ValueError(
            f"{origin}: image '{missing[0]}': expected an image that the images stage stored, got a name "
            f"that it did not ({len(missing)} such)"
        )
    for image_id, patient_id in zip(splits["image_id"], splits["patient_id"], strict=True):
        known = patients[image_id]
        if known != patient_id:
            raise ValueError(
                f"{origin}: image '{image_id}': expected its patient '{known}', got '{patient_id}'"
            )
    fold = splits[splits["fold"] == number]
    if fold.empty:
        listed = ", ".join(map(str, sorted(splits["fold"].unique())))
        raise ValueError(f"{origin}: expected rows of fold {number}, got rows of fold {listed}")
    return fold


def _joined(what: str, names: pd.Series, roles: pd.Series) -> str:
    return " and ".join(f"{role} ({what} '{name}')" for name, role in zip(names, roles, strict=True))
