"""Evaluates detected boxes: FROC curves, areas under curves and comparisons of models."""
