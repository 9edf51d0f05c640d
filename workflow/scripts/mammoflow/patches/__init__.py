"""Divides patients into folds and cuts the patches of each fold from the stored breasts."""
