"""Automatic mass detection in mammograms, from archives on disk to FROC tables."""
