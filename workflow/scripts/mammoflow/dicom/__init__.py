"""Reads DICOM mammograms."""
