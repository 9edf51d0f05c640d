"""Builds, saves and loads networks, and configures the machine that they run on."""
