"""Draws figures 1 to 5, one module each; shared parts are in `style`, `mammogram` and `froc_axes`."""
