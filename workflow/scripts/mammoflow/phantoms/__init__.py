"""Mammograms that do not exist, written as genuine releases of CBIS-DDSM and INbreast."""
