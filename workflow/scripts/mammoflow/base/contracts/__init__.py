"""Defines the tables that stages exchange, one module per stage.

With separate modules, a new column in the FROC tables, for example, does not re-run the training.
"""
