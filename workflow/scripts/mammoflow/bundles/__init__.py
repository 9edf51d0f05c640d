"""Packs a trained model into one file that can be checked, and loads it without executing anything of it."""
