"""Data sets for other programs, boxes from them, and files from archives."""
