"""Presents the results: tables, figures and the HTML page."""
