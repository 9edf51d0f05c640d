"""Compares the study's counts with the paper's: the release, the stored images, and every part of a fold."""

from collections.abc import Mapping, Sequence
from math import nan

import pandas as pd

from mammoflow.base.contracts.stored import LESION_OUTSIDE

COLUMNS = ("data", "fold", "quantity", "paper", "found", "difference")
_TYPES = {"fold": "Int64", "paper": float, "found": float, "difference": float}

# Columns of table 1, in words.
QUANTITIES = {
    "cases_positive": "cases with masses",
    "cases_negative": "cases without masses",
    "images_positive": "images with masses",
    "images_negative": "images without masses",
    "masses": "masses",
    "patches_positive": "mass patches",
    "patches_negative": "background patches",
}


def table(
    releases: Mapping[str, Sequence[pd.DataFrame]], description: pd.DataFrame, archives: Mapping[str, str]
) -> pd.DataFrame:
    """All counts, quantity by quantity.

    Parameters
    ----------
    releases : mapping of str to sequence of pandas.DataFrame
        By the name of a data set in print: tables ``reconciliation`` of its stages.
    description : pandas.DataFrame
        Table 1, see `report.tables.data_description.table`.
    archives : mapping of str to str
        By the name of a data set in print: the archive that it is, as publications call it. Data sets that
        are not here, such as phantoms, have no published counts.

    Returns
    -------
    pandas.DataFrame
        Columns data, fold (NA for the whole release), quantity, paper, found and difference; NaN where the
        paper has no such count.

    References
    ----------
    Sections 2.1 and 2.2, table 1: one fold of each archive, with which every fold is compared.
    """
    frames = []
    for data, counts in releases.items():
        whole = pd.concat(counts, ignore_index=True).assign(data=data, fold=pd.NA)
        frames.append(whole if data in archives else whole.assign(paper=nan, difference=nan))
        ours = description[(description["source"] == "ours") & (description["data"] == data)]
        theirs = description[
            (description["source"] == "paper") & (description["data"] == archives.get(data, ""))
        ]
        frames.append(_of_folds(ours, theirs.set_index("part")).assign(data=data))
    return pd.concat([frame[list(COLUMNS)].astype(_TYPES) for frame in frames], ignore_index=True)


def _of_folds(ours: pd.DataFrame, theirs: pd.DataFrame) -> pd.DataFrame:
    """Rows of table 1 as one row per quantity, the paper's part beside ours."""
    rows = []
    for row in ours.to_dict("records"):
        for column, words in QUANTITIES.items():
            paper = float(theirs[column].get(row["part"], nan)) if len(theirs) else nan
            found = float(row[column])
            rows.append((row["fold"], f"{row['part']}: {words}", paper, found, found - paper))
    return pd.DataFrame(rows, columns=COLUMNS[1:])


def of_store(stored: pd.DataFrame, lesions: pd.DataFrame) -> pd.DataFrame:
    """What the images stage made of a data set.

    Parameters
    ----------
    stored : pandas.DataFrame
        Table ``stored`` of all shards.
    lesions : pandas.DataFrame
        Table ``lesions`` of the index.

    Returns
    -------
    pandas.DataFrame
        A 'reconciliation' table; the paper has no such counts.
    """
    lost = stored[~stored["stored"]]
    outside = stored["stored"] & stored["detail"].str.split(";").map(lambda flags: LESION_OUTSIDE in flags)
    found = {
        "images stored": len(stored) - len(lost),
        "images not stored": len(lost),
        **{
            f"images not stored: {reason}": count
            for reason, count in lost["reason"].value_counts().sort_index().items()
        },
        "masses in images not stored": int(lesions["image_id"].isin(lost["image_id"]).sum()),
        "images stored with a mass outside the breast found": int(outside.sum()),
        "images stored whose pixels are those of another": int(
            stored.loc[stored["stored"], "pixels_sha256"].duplicated(keep=False).sum()
        ),
    }
    rows = pd.DataFrame({"quantity": list(found), "found": list(found.values())})
    return rows.assign(paper=nan, difference=nan)[["quantity", "paper", "found", "difference"]]
