"""Finds the breast in a decoded mammogram and stores it."""
