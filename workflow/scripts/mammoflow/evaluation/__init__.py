"""From boxes to FROC curves, areas and comparisons."""
