"""From stored breasts and splits to the patch bank of a fold."""
