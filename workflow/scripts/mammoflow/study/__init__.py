"""Reads the config of a study, and records and reports the state of its runs."""
