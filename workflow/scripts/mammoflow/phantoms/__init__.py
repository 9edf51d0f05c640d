"""Synthetic mammograms (phantoms), written in the file layout of CBIS-DDSM and INbreast."""
