"""From a patch bank to a trained network."""
