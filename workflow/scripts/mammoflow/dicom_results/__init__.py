"""Writes what a detector found as DICOM objects that belong to the patient and study of the images."""
