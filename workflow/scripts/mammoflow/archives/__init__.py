"""Reads the archives of mammograms, one module each: finds images, lesions and exclusions of a release."""

import importlib
from types import ModuleType

ARCHIVES = {"cbis-ddsm": "cbis_ddsm", "inbreast": "inbreast", "mini-mias": "mini_mias"}


def archive(name: str) -> ModuleType:
    """Module that reads an archive; those of the others are not imported, and an edit of theirs is no matter.

    Parameters
    ----------
    name : str
        A key of `ARCHIVES`.
    """
    return importlib.import_module(f"mammoflow.archives.{ARCHIVES[name]}")
