"""Automatic mass detection in mammograms, from archives on disk to FROC tables."""

import sys

# python-gdcm, which pydicom imports, tries to import `dl`, a module that Python 3 no longer has. A folder of
# this name anywhere on sys.path would be imported instead and cause an error.
sys.modules.setdefault("dl", None)
