"""Names test images on the review page, so that the page contains no identifier of a patient or an image."""

import pandas as pd

from mammoflow.base.contracts.review import CASES


def named(splits: pd.DataFrame, images: pd.DataFrame) -> pd.DataFrame:
    """Name every test image by the number of its patient, side and view, such as ``12-R-MLO``.

    Parameters
    ----------
    splits : pandas.DataFrame
        A ``splits`` table.
    images : pandas.DataFrame
        Table ``images`` of the same data set.

    Returns
    -------
    pandas.DataFrame
        A ``cases`` table, one row for each fold that tests an image, sorted by patient, side and view.
        Further images of a view get a number: ``12-R-MLO-2``.
    """
    tested = splits.loc[splits["role"] == "test", ["image_id", "patient_id", "fold"]]
    tested = tested.merge(images[["image_id", "laterality", "view"]], on="image_id", validate="many_to_one")
    tested = tested.sort_values(
        ["patient_id", "laterality", "view", "image_id", "fold"], ignore_index=True, kind="stable"
    )
    patient = (pd.factorize(tested["patient_id"])[0] + 1).astype(str)
    name = pd.Series(patient).str.cat(
        [
            tested[column].where(tested[column] == "", "-" + tested[column])
            for column in ("laterality", "view")
        ]
    )
    repeated = name.groupby(name, sort=False).cumcount() + 1
    tested["case"] = name.where(repeated == 1, name + "-" + repeated.astype(str))
    return CASES.check(tested[list(CASES.columns)])
