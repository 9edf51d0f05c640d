"""Applies trained networks to images: probabilities, probability maps and boxes."""
