"""Reads the archives of mammograms, one module each: finds images, lesions and exclusions of a release."""

import importlib
from types import ModuleType

ARCHIVES = {
    "annotated": "annotated",
    "cbis-ddsm": "cbis_ddsm",
    "cbis-ddsm-jpeg": "cbis_ddsm_jpeg",
    "cdd-cesm": "cdd_cesm",
    "inbreast": "inbreast",
    "mini-mias": "mini_mias",
    "vindr-mammo": "vindr_mammo",
}


def archive(name: str) -> ModuleType:
    """Module that reads an archive; those of the others are not imported, and an edit of theirs is no matter.

    Parameters
    ----------
    name : str
        A key of `ARCHIVES`.
    """
    return importlib.import_module(f"mammoflow.archives.{ARCHIVES[name]}")
