"""Automatic mass detection in mammograms, from archives on disk to FROC tables.

As a library, the names in `__all__` are its public functions; docs/library.md has an example of each.
"""

import importlib
import sys

# python-gdcm, which pydicom imports, asks for `dl`, a module that Python 3 no longer has. A folder of that
# name anywhere on sys.path would answer and break the import.
sys.modules.setdefault("dl", None)

# Imported when asked for: a script that needs one module does not wait for the others.
_PUBLIC = {
    "froc": "mammoflow.library.scoring",
    "tpr_at": "mammoflow.library.scoring",
    "wafroc": "mammoflow.library.scoring",
    "boxes_of_map": "mammoflow.library.pictures",
    "breast_region": "mammoflow.library.pictures",
    "split_patients": "mammoflow.library.patients_apart",
}
__all__ = list(_PUBLIC)


def __getattr__(name: str) -> object:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'mammoflow' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
