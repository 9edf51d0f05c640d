"""Makes table 1: cases, images, masses and patches."""

from collections.abc import Mapping

import pandas as pd

from mammoflow.report import literature
from mammoflow.report.naming import Labels
from mammoflow.report.tables.presentation import Presentation, number, pair, text, with_published

PRESENTATION = Presentation(
    "Table 1. Data description: positive (mass) / negative.",
    {
        "Source": text("source"),
        "Data": text("data"),
        "Fold": number("fold", "d"),
        "Part": text("part"),
        "Cases": pair("cases_positive", "cases_negative"),
        "Images": pair("images_positive", "images_negative"),
        "Masses": number("masses", "d"),
        "Patches": pair("patches_positive", "patches_negative"),
    },
    "A case or image is positive when it has a mass. Rows of source “paper” are table 1 of Agarwal et "
    "al. 2019, one fold of each real archive.",
)


def table(
    splits: Mapping[str, pd.DataFrame],
    lesions: Mapping[str, pd.DataFrame],
    patches: pd.DataFrame,
    labels: Labels,
) -> pd.DataFrame:
    """Table 1: cases, images, masses and patches of every part of every fold.

    Parameters
    ----------
    splits, lesions : mapping of str to pandas.DataFrame
        Tables of each data set.
    patches : pandas.DataFrame
        Columns dataset, fold, part, positives and negatives: what the banks hold, a row for each part.
    labels : mapping
        As in `naming`.

    Returns
    -------
    pandas.DataFrame
        A case or an image is positive when it has a mass.

    References
    ----------
    Section 2.2, table 1.
    """
    rows = [
        {
            "source": "ours",
            "data": labels["datasets"][bank.dataset],
            "fold": bank.fold,
            "part": bank.part,
            **_cases(splits[bank.dataset], lesions[bank.dataset], bank.fold, bank.part),
            "patches_positive": bank.positives,
            "patches_negative": bank.negatives,
        }
        for bank in patches.itertuples()
    ]
    return with_published(rows, literature.data_description())


def _cases(splits: pd.DataFrame, lesions: pd.DataFrame, fold: int, part: str) -> dict[str, int]:
    images = splits[(splits["fold"] == fold) & (splits["role"] == part)]
    positive = images["image_id"].isin(lesions["image_id"])
    cases = positive.groupby(images["patient_id"]).any()
    return {
        "cases_positive": int(cases.sum()),
        "cases_negative": int((~cases.astype(bool)).sum()),
        "images_positive": int(positive.sum()),
        "images_negative": int((~positive).sum()),
        "masses": int(lesions["image_id"].isin(images["image_id"]).sum()),
    }
