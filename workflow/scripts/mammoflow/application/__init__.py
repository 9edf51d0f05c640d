"""Runs a model on a user's own mammograms, without a study: files in, tables and pictures out."""
