"""The review page: every test image of a model, to look through in a browser."""
