"""The tables that stages hand to each other: a module for what one stage writes, so that a new column of
FROC trains nothing again.
"""
