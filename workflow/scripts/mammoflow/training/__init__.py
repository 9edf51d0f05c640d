"""Trains networks on patch banks."""
