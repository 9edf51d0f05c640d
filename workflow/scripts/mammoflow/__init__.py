"""Automatic mass detection in mammograms, from archives on disk to FROC tables.

As a library, it offers the functions of `mammoflow.library`; docs/library.md has an example of each.
"""

import importlib
import sys

# python-gdcm, which pydicom imports, asks for `dl`, a module that Python 3 no longer has. A folder of that
# name anywhere on sys.path would answer and break the import.
sys.modules.setdefault("dl", None)


def __getattr__(name: str) -> object:
    # This file is part of the code of every stage. The public functions are listed elsewhere and that list is
    # not imported by a statement, so a new function re-runs no stage. No script waits for their imports.
    return importlib.import_module("mammoflow.library").public(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__getattr__("__all__")})
