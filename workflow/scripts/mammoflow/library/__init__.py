"""Functions for notebooks and other programs; they call the code of the workflow."""
