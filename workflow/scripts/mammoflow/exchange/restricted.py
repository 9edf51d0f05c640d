"""Archives that nobody may pass on: where access is asked for, and what has to be on disk then."""

from typing import NamedTuple

from mammoflow.archives import ARCHIVES


class Restricted(NamedTuple):
    """An archive, how to get it, and the files that its root has."""

    label: str
    access: str
    files: str


RESTRICTED = {
    "inbreast": Restricted(
        "INbreast",
        "ask its authors: Moreira et al., Academic Radiology 19(2), 236-248 (2012), "
        "doi:10.1016/j.acra.2011.09.014. The archive's own page no longer exists.",
        "AllDICOMs/, AllXML/, and INbreast.csv or INbreast.xls",
    ),
    "vindr-mammo": Restricted(
        "VinDr-Mammo",
        "sign the data use agreement at https://physionet.org/content/vindr-mammo/1.0.0/",
        "images/<study>/<image>.dicom, breast-level_annotations.csv, finding_annotations.csv, metadata.csv",
    ),
    "embed": Restricted(
        "EMBED",
        "fill in the request form that https://github.com/Emory-HITI/EMBED_Open_Data names",
        "images/cohort_1/, images/cohort_2/, and tables/ with EMBED_OpenData_metadata.csv and "
        "EMBED_OpenData_clinical.csv",
    ),
}


def told(name: str) -> str:
    """What a user has to do to get and use a restricted archive.

    Parameters
    ----------
    name : str
        One of `RESTRICTED`.
    """
    archive = RESTRICTED[name]
    use = (
        f"Then set datasets.{name}.root to the folder that has: {archive.files} (docs/archives.md)."
        if name in ARCHIVES
        else f"It has: {archive.files}. This version of mammoflow cannot read it yet."
    )
    return f"{archive.label} is given to its users by its owners alone. To get it, {archive.access}\n{use}"
