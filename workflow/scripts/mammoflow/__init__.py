"""Automatic mass detection in mammograms, from archives on disk to FROC tables."""

import sys

# python-gdcm, which pydicom imports, asks for `dl`, a module that Python 3 no longer has. A folder of that
# name anywhere on sys.path would answer and break the import.
sys.modules.setdefault("dl", None)
